"""Rotation and mirroring of stored frames for display."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    Pixels = NDArray[Any]


@dataclass(frozen=True)
class Orientation:
    """A swap of the axes followed by mirroring along x and y: the eight rotations by quarter turns and mirrorings."""

    swaps_axes: bool = False
    mirrors_x: bool = False
    mirrors_y: bool = False

    @classmethod
    def from_display_matrix(cls, matrix: Sequence[int]) -> Orientation:
        """The orientation of a container's 3 x 3 display matrix, in FFmpeg's row-major order.

        The rotation angle that FFmpeg derives from the matrix does not suffice: it is 180° for a mirrored frame too.
        """
        a, b, _, c, d = matrix[:5]
        if max(abs(a), abs(d)) >= max(abs(b), abs(c)):
            return cls(mirrors_x=a < 0, mirrors_y=d < 0)
        return cls(swaps_axes=True, mirrors_x=c < 0, mirrors_y=b < 0)

    def apply(self, image: Pixels) -> Pixels:
        """The image as displayed."""
        if self.swaps_axes:
            image = np.asarray(cv2.transpose(image), image.dtype)
        if self.mirrors_x and self.mirrors_y:
            return np.asarray(cv2.flip(image, -1), image.dtype)
        if self.mirrors_x or self.mirrors_y:
            return np.asarray(cv2.flip(image, 1 if self.mirrors_x else 0), image.dtype)
        return image


def orientation_of(frame: Any) -> Orientation:
    """The orientation that a PyAV frame states."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    return (
        Orientation() if matrix is None else Orientation.from_display_matrix(np.frombuffer(matrix, np.int32).tolist())
    )
