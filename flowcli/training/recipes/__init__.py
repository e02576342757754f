"""Training recipes: by name, those here and those in the .toml files beside, or in a .toml file of the user's."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from flowcli.errors import SourceError, UsageError
from flowcli.training.recipes._generated import RECIPES
from flowcli.training.recipes._values import AugmentationSettings, DatasetShare, Recipe, Stage, one_cycle

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "RECIPES",
    "AugmentationSettings",
    "DatasetShare",
    "Recipe",
    "Stage",
    "find_recipe",
    "names",
    "one_cycle",
    "read_recipe",
]

T = TypeVar("T")

FOLDER = Path(__file__).parent
# The keys of a recipe file; the other fields of a recipe are about generated pairs.
STAGE_KEYS = {field.name for field in dataclasses.fields(Stage)}
SHARE_KEYS = {field.name for field in dataclasses.fields(DatasetShare)}
RECIPE_KEYS = {"model", "seed", "ema_decay", "stages", "data"}


def names() -> list[str]:
    """The names of all recipes."""
    return [*RECIPES, *sorted(path.stem for path in FOLDER.glob("*.toml"))]


def find_recipe(name_or_path: str) -> Recipe:
    """The recipe of this name or in this .toml file; raises UsageError where there is none, and as `read_recipe`."""
    if name_or_path in RECIPES:
        return RECIPES[name_or_path]
    for path in (FOLDER / f"{name_or_path}.toml", Path(name_or_path)):
        if path.suffix == ".toml" and path.is_file():
            return read_recipe(path)
    raise UsageError(f"there is no recipe {name_or_path!r}", hint=f"recipes: {', '.join(names())}, or a .toml file")


def read_recipe(path: Path) -> Recipe:
    """The recipe in a .toml file; raises SourceError where the file is not a valid recipe."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        check(content, RECIPE_KEYS)
        stages = tuple(made(Stage, {"learning_rate": ends(table), **table}, STAGE_KEYS) for table in content["stages"])
        data = tuple(made(DatasetShare, table, SHARE_KEYS) for table in content["data"])
        others = {key: value for key, value in content.items() if key not in {"stages", "data"}}
        return made(Recipe, {**others, "stages": stages, "data": data}, RECIPE_KEYS)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise SourceError(f"{path} is not a recipe: {reason}", hint=f"see {FOLDER / 'finetune.toml'}") from error


def ends(table: Mapping[str, Any]) -> tuple[float, float]:
    """The first and last learning rates of RAFT's one-cycle schedule; 0 for a stage without `peak`."""
    peak = float(table.get("peak", 0.0))
    return peak / 25, peak / 25e4


def made(kind: type[T], table: Mapping[str, Any], keys: set[str]) -> T:
    """A dataclass from a table, whose lists become tuples; raises ValueError for an unknown key."""
    check(table, keys)
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    return kind(**values)


def check(table: Mapping[str, Any], keys: set[str]) -> None:
    """Raises ValueError for an unknown key."""
    unknown = sorted(set(table) - keys)
    if unknown:
        raise ValueError(f"unknown key {unknown[0]}, the keys are {', '.join(sorted(keys))}")
