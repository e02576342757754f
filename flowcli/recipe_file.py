"""Training recipes by name, or from a file: TOML, whose tables are stages and datasets."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from flowcli.errors import SourceError, UsageError
from flowcli.recipes import RECIPES, Recipe, Share, Stage

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

FOLDER = Path(__file__).with_name("recipe_files")
# What a file may say: the rest of a recipe is about generated pairs, or computed.
STAGE_KEYS = {field.name for field in dataclasses.fields(Stage)}
SHARE_KEYS = {field.name for field in dataclasses.fields(Share)}
RECIPE_KEYS = {"model", "seed", "ema_decay", "stages", "data"}


def names() -> list[str]:
    """The recipes that can be asked for by name."""
    return [*RECIPES, *sorted(path.stem for path in FOLDER.glob("*.toml"))]


def find_recipe(name_or_path: str) -> Recipe:
    """The recipe of this name or in this file; raises UsageError where there is none."""
    if name_or_path in RECIPES:
        return RECIPES[name_or_path]
    for path in (FOLDER / f"{name_or_path}.toml", Path(name_or_path)):
        if path.suffix == ".toml" and path.is_file():
            return read_recipe(path)
    raise UsageError(f"there is no recipe {name_or_path!r}", hint=f"recipes: {', '.join(names())}, or a .toml file")


def read_recipe(path: Path) -> Recipe:
    """The recipe in a file; raises SourceError for what it does not say rightly."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        check(content, RECIPE_KEYS)
        stages = tuple(made(Stage, {"learning_rate": ends(table), **table}, STAGE_KEYS) for table in content["stages"])
        data = tuple(made(Share, table, SHARE_KEYS) for table in content["data"])
        others = {key: value for key, value in content.items() if key not in {"stages", "data"}}
        return made(Recipe, {**others, "stages": stages, "data": data}, RECIPE_KEYS)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise SourceError(f"{path} is no recipe: {reason}", hint=f"see {FOLDER / 'finetune.toml'}") from error


def ends(table: Mapping[str, Any]) -> tuple[float, float]:
    """Where RAFT's one cycle begins and ends, for a stage that has one."""
    peak = float(table.get("peak", 0.0))
    return peak / 25, peak / 25e4


def made(kind: type[T], table: Mapping[str, Any], keys: set[str]) -> T:
    """A value from a table, whose lists become tuples."""
    check(table, keys)
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    return kind(**values)


def check(table: Mapping[str, Any], keys: set[str]) -> None:
    """Raises ValueError for a key that means nothing."""
    unknown = sorted(set(table) - keys)
    if unknown:
        raise ValueError(f"it knows no {unknown[0]}, only {', '.join(sorted(keys))}")
