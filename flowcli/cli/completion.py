"""The values that a shell completes, found without importing PyTorch."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING

from typer.models import ParameterInfo

from flowcli.evaluation.datasets import names as datasets
from flowcli.flow.outputs import output_names
from flowcli.media.encoding import CODECS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

QUALITIES = ("fast", "balanced", "best", "exact")


def completions(parameter: str, incomplete: str) -> list[str]:
    """The values of a parameter that begin with `incomplete`; those of --save continue the list that it holds."""
    head, comma, last = incomplete.rpartition(",") if parameter == "save" else ("", "", incomplete)
    return [f"{head}{comma}{value}" for value in KNOWN[parameter]() if value.startswith(last)]


def completer(parameter: str) -> Callable[[str], list[str]]:
    """The function by which Typer completes a parameter; it looks at the names of arguments."""

    def completed(incomplete: str) -> list[str]:
        return completions(parameter, incomplete)

    return completed


def embedded_weights() -> Iterable[str]:
    """The names of the weights that are part of flowcli."""
    package = Path(__file__).parents[1]
    folders = (package / "_weights", package.parent / "weights")
    return sorted({path.stem for folder in folders for path in folder.glob("*.safetensors")})


def recipes() -> Iterable[str]:
    """The names of the training recipes in files."""
    return sorted(path.stem for path in (Path(__file__).parents[1] / "training/recipes").glob("*.toml"))


KNOWN: dict[str, Callable[[], Iterable[str]]] = {
    "save": output_names,
    "codec": lambda: CODECS,
    "weights": embedded_weights,
    "quality": lambda: QUALITIES,
    "dataset": datasets,
    "recipe": recipes,
}
"""The values of the parameters that are completed, by name."""


def complete_values(command: Callable[..., None]) -> None:
    """Lets Typer complete the values of a command's parameters of these names."""
    for parameter in signature(command, eval_str=True).parameters.values():
        for mark in getattr(parameter.annotation, "__metadata__", ()):
            if isinstance(mark, ParameterInfo) and parameter.name in KNOWN:
                mark.autocompletion = completer(parameter.name)
