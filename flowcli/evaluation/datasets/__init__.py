"""Readers of datasets with ground truth: one file for each dataset, named after it.

A file declares `samples(root, part) -> list[Sample]`: every pair of a part, in order, without reading any. It raises
UsageError for a missing folder or part, and SourceError for missing files. The first line of the file's docstring is
its help; `PADDING` says how the frames are padded in published evaluations, if not centred.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast, get_args

from flowcli.errors import UsageError
from flowcli.evaluation.datasets._values import FlowItem, GroundTruth, Part, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from raft_core.images import Placement

__all__ = [
    "FlowItem",
    "GroundTruth",
    "Part",
    "Sample",
    "descriptions",
    "items",
    "names",
    "placement",
    "read",
    "reader",
    "samples",
]


class Reader(Protocol):
    """The interface of a dataset's file."""

    def samples(self, root: Path, part: Part) -> list[Sample]:
        """The pairs of a part below `root`, in order."""
        ...


def names() -> list[str]:
    """The names of all datasets, found without importing their files."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def descriptions() -> dict[str, str]:
    """A line about each dataset for `--help`, read from its file without importing it."""
    folder = Path(__path__[0])
    texts = {name: (folder / f"{name}.py").read_text(encoding="utf-8") for name in names()}
    return {name: (ast.get_docstring(ast.parse(text)) or name).splitlines()[0] for name, text in texts.items()}


def reader(name: str) -> Reader:
    """The reader of a dataset by its name; raises UsageError for an unknown name."""
    if name not in names():
        raise UsageError(f"there is no dataset called {name!r}", hint=f"choose one of {', '.join(names())}")
    return cast("Reader", importlib.import_module(f"{__name__}.{name}"))


def placement(name: str) -> Placement:
    """How a dataset's frames are padded in published evaluations."""
    return cast("Placement", getattr(reader(name), "PADDING", "centre"))


def samples(name: str, root: Path, part: str = "validation") -> list[Sample]:
    """The pairs of a dataset below `root`, in order, none of them read yet.

    Raises UsageError for an unknown dataset or part and a missing folder, SourceError for an incomplete dataset.
    """
    if part not in get_args(Part):
        raise UsageError(f"there is no {part} part of a dataset", hint=f"choose one of {', '.join(get_args(Part))}")
    return reader(name).samples(root, cast("Part", part))


def read(sample: Sample, *, count_invalid: bool = False) -> FlowItem:
    """Reads a pair; with `count_invalid`, pixels that the publisher excludes are valid where their flow is known.

    Raises SourceError for a missing or unreadable file, sizes that differ, and a sample without ground truth.
    """
    from flowcli.evaluation.datasets._reading import read_item  # noqa: PLC0415 - loads OpenCV

    return read_item(sample, count_invalid=count_invalid)


def items(name: str, root: Path, part: Part = "validation") -> Iterator[FlowItem]:
    """Iterates over the pairs of a dataset, each read when it is reached; `samples` raises its errors at once."""
    return (read(sample) for sample in samples(name, root, part))
