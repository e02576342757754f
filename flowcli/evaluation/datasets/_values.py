"""What datasets are made of: where a pair lies, what is true of it, and the pair itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

Part = Literal["training", "validation", "test"]
"""Which pairs of a dataset. One without a split of its own validates on what it trains on; a test has no truth."""


@dataclass(frozen=True, eq=False)
class FlowItem:
    """Two frames and the true flow between them; `group` names the items it is averaged with.

    `first` and `second` are (height, width, 3) uint8 RGB, `flow` is (height, width, 2) float32, the displacement
    in pixels on the first frame's grid, right and down. It counts only where `valid` (height, width) and is
    finite everywhere. `occluded` (height, width) marks what the second frame does not show, where that is known.
    """

    name: str
    group: str
    first: NDArray[np.uint8]
    second: NDArray[np.uint8]
    flow: NDArray[np.float32]
    valid: NDArray[np.bool_]
    occluded: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class Truth:
    """True flow as `path` stores it: unknown where it is NaN or beyond 1e9 px.

    `invalid` marks what its publisher leaves out, `occluded` what the second frame does not show.
    """

    path: Path
    flow: NDArray[np.float32]
    invalid: NDArray[np.bool_] | None = None
    occluded: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Sample:
    """A pair that is not read yet: its frames' files, and what reads its truth, None in a test.

    `continues` is true where the sample before it leads up to `first`, so that its flow may start this one's.
    """

    name: str
    group: str
    first: Path
    second: Path
    truth: Callable[[], Truth] | None
    continues: bool = False
