"""The values of datasets: a sample before it is read, its ground truth, and the pair as read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

Part = Literal["training", "validation", "test"]
"""A part of a dataset. Without a published split, validation is on the training pairs; test has no ground truth."""


@dataclass(frozen=True, eq=False)
class FlowItem:
    """Two frames and the exact flow between them; `group` names the items that it is averaged with.

    `first` and `second` are (height, width, 3) uint8 RGB. `flow` (height, width, 2) is the displacement in px on the
    first frame's grid, right and down; it is finite everywhere and counts where `valid` (height, width). `occluded`
    (height, width) marks pixels that the second frame does not show; None where that is unknown.
    """

    name: str
    group: str
    first: NDArray[np.uint8]
    second: NDArray[np.uint8]
    flow: NDArray[np.float32]
    valid: NDArray[np.bool_]
    occluded: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """The flow (height, width, 2) stored in `path`, unknown where it is NaN or beyond 1e9 px.

    `invalid` marks pixels that the publisher excludes, `occluded` pixels that the second frame does not show, both
    (height, width).
    """

    path: Path
    flow: NDArray[np.float32]
    invalid: NDArray[np.bool_] | None = None
    occluded: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Sample:
    """A pair before it is read: the files of its frames, and the reader of its ground truth, None in a test part.

    `continues` is true where the previous sample's second frame is `first`, so that this pair may start warm.
    """

    name: str
    group: str
    first: Path
    second: Path
    ground_truth: Callable[[], GroundTruth] | None
    continues: bool = False
