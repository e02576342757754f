"""Training recipes: by name, those here and those in the .toml files beside, or in a .toml file of the user's."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

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

FOLDER = Path(__file__).parent
RECIPE_KEYS = {"model", "seed", "ema_decay", "stages", "data"}
"""The keys of a recipe file; the other fields of a recipe are about generated pairs."""
GENERATED_ONLY = {"visible_only", "shifts"}
"""The fields of a stage that are about generated pairs."""


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
        if unknown := sorted(set(content) - RECIPE_KEYS):
            raise ValueError(f"unknown key {unknown[0]}, the keys are {', '.join(sorted(RECIPE_KEYS))}")
        if not content["data"] or content.get("model") == "refiner":
            raise ValueError("it is not about datasets")
        if useless := sorted(GENERATED_ONLY & {key for stage in content["stages"] for key in stage if stage[key]}):
            raise ValueError(f"{useless[0]} of a stage is for generated pairs")
        stages = [with_ends(stage) for stage in content["stages"]]
        return TypeAdapter(Recipe).validate_python({**content, "stages": stages})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        hint = f"see {FOLDER / 'finetune.toml'}"
        raise SourceError(f"{path} is not a recipe: {reason(error)}", hint=hint) from error


def with_ends(stage: Mapping[str, Any]) -> dict[str, Any]:
    """A stage's table with the first and last learning rates of RAFT's one-cycle schedule, where it has a `peak`."""
    if "peak" not in stage:
        return dict(stage)
    peak = float(stage["peak"])
    return {"learning_rate": (peak / 25, peak / 25e4), **stage}


def reason(error: Exception) -> str:
    """What is wrong with a file, and where in it."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg'][:1].lower()}{first['msg'][1:]}"
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
