"""Coordinates on RAFT's padded 1/8 grid, and their conversion from and to pixels of the frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from raft_core.images import STRIDE, Padding

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Cell:
    """A cell of the 1/8 grid."""

    row: int
    column: int


@dataclass(frozen=True)
class Grid:
    """The 1/8 grid over a frame of `height` by `width` pixels and the padding around it."""

    height: int
    width: int

    @property
    def padding(self) -> Padding:
        """The pixels added around the frame."""
        return Padding.for_size(self.height, self.width)

    @property
    def rows(self) -> int:
        """The number of rows."""
        return (self.padding.top + self.height + self.padding.bottom) // STRIDE

    @property
    def columns(self) -> int:
        """The number of columns."""
        return (self.padding.left + self.width + self.padding.right) // STRIDE

    @property
    def visible(self) -> tuple[slice, slice]:
        """The rows and columns whose cells contain pixels of the frame, not only padding."""
        top, left = self.padding.top, self.padding.left
        return (
            slice(top // STRIDE, -(-(top + self.height) // STRIDE)),
            slice(left // STRIDE, -(-(left + self.width) // STRIDE)),
        )

    def crop(self, padded: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Removes the padding from an image (height, width, ...) of the padded frame."""
        top, left = self.padding.top, self.padding.left
        return padded[top : top + self.height, left : left + self.width]

    def cell_at(self, x: int, y: int) -> Cell:
        """The cell that contains a pixel (x, y) of the frame; it is the same at every level, as only the second frame's
        axes of the correlation are pooled.
        """
        return Cell((y + self.padding.top) // STRIDE, (x + self.padding.left) // STRIDE)

    def pixel_in(self, cell: Cell) -> tuple[int, int]:
        """The pixel (x, y) of the frame nearest to the middle of a cell."""
        x = STRIDE * cell.column + STRIDE // 2 - self.padding.left
        y = STRIDE * cell.row + STRIDE // 2 - self.padding.top
        return min(max(x, 0), self.width - 1), min(max(y, 0), self.height - 1)

    def to_frame(self, point: Sequence[float], *, level: int = 0) -> tuple[float, float]:
        """A point (x, y) of a level, in cells, as a point of the frame, in px; whole coordinates are middles.

        A cell of level l covers a square with a side of 8·2^l px.
        """
        side = STRIDE << level
        x, y = point
        return (x + 0.5) * side - 0.5 - self.padding.left, (y + 0.5) * side - 0.5 - self.padding.top
