"""Pairs of frames with true flow, read from disk: one kind of dataset per file, its name the file's name.

A reader declares `items(root: Path) -> Iterator[FlowItem]`: sorted, each pair read only when it is reached,
`UsageError` where there is no such folder and `SourceError` where it holds something that cannot be used.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from flowcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class FlowItem:
    """Two frames and the true flow between them; `group` names the items it is averaged with.

    `first` and `second` are (height, width, 3) uint8 RGB, `flow` is (height, width, 2) float32, the displacement
    in pixels on the first frame's grid, right and down. It counts only where `valid` (height, width) and is
    finite everywhere.
    """

    name: str
    group: str
    first: NDArray[np.uint8]
    second: NDArray[np.uint8]
    flow: NDArray[np.float32]
    valid: NDArray[np.bool_]


class Reader(Protocol):
    """What a dataset's file declares."""

    def items(self, root: Path) -> Iterator[FlowItem]:
        """The pairs below `root`, in order."""
        ...


def names() -> list[str]:
    """The datasets there are, without importing any."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def reader(name: str) -> Reader:
    """The reader of a dataset by its name; raises `UsageError` where there is none."""
    if name not in names():
        raise UsageError(f"there is no dataset called {name!r}", hint=f"choose one of {', '.join(names())}")
    return cast("Reader", importlib.import_module(f"{__name__}.{name}"))
