"""Pairs of frames with true flow, read from disk: one dataset per file, its name the file's name.

A file declares `samples(root, part) -> list[Sample]`: where every pair of a part lies, in order and without reading
any. It raises `UsageError` where there is no such folder or part, and `SourceError` where something is missing. The
first line of its docstring is its help; `PADDING` says how its frames are padded, if not alike on all sides.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast, get_args

from flowcli.errors import UsageError
from flowcli.evaluation.datasets._values import FlowItem, Part, Sample, Truth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from raft_core.images import Placement

__all__ = [
    "FlowItem",
    "Part",
    "Sample",
    "Truth",
    "descriptions",
    "items",
    "names",
    "placement",
    "read",
    "reader",
    "samples",
]


class Reader(Protocol):
    """What a dataset's file declares."""

    def samples(self, root: Path, part: Part) -> list[Sample]:
        """The pairs below `root`, in order."""
        ...


def names() -> list[str]:
    """The datasets there are, without importing any."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def descriptions() -> dict[str, str]:
    """What each dataset's folder holds, for `--help`: read, not imported."""
    folder = Path(__path__[0])
    texts = {name: (folder / f"{name}.py").read_text(encoding="utf-8") for name in names()}
    return {name: (ast.get_docstring(ast.parse(text)) or name).splitlines()[0] for name, text in texts.items()}


def reader(name: str) -> Reader:
    """The reader of a dataset by its name; raises `UsageError` where there is none."""
    if name not in names():
        raise UsageError(f"there is no dataset called {name!r}", hint=f"choose one of {', '.join(names())}")
    return cast("Reader", importlib.import_module(f"{__name__}.{name}"))


def placement(name: str) -> Placement:
    """Where a dataset's frames are padded in published evaluations."""
    return cast("Placement", getattr(reader(name), "PADDING", "centre"))


def samples(name: str, root: Path, part: str = "validation") -> list[Sample]:
    """The pairs of a dataset below `root`, in order; nothing is read yet. Raises UsageError for an unknown `part`."""
    if part not in get_args(Part):
        raise UsageError(f"there is no {part} part of a dataset", hint=f"choose one of {', '.join(get_args(Part))}")
    return reader(name).samples(root, cast("Part", part))


def read(sample: Sample, *, count_invalid: bool = False) -> FlowItem:
    """The pair itself; with `count_invalid` what its publisher leaves out counts where its flow is known.

    Raises `SourceError` where a file is missing or does not fit the others, and for a sample without truth.
    """
    from flowcli.evaluation.datasets._reading import read_item  # noqa: PLC0415 - loads OpenCV

    return read_item(sample, count_invalid=count_invalid)


def items(name: str, root: Path, part: Part = "validation") -> Iterator[FlowItem]:
    """The pairs of a dataset, each read only when it is reached; a folder without any is refused at once."""
    return (read(sample) for sample in samples(name, root, part))
