"""How a stored picture is turned and mirrored to be shown upright."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Orientation:
    """A swap of the axes, then a mirroring of each: every upright pose of a picture is one of these eight."""

    swaps_axes: bool = False
    mirrors_x: bool = False
    mirrors_y: bool = False

    @classmethod
    def from_display_matrix(cls, matrix: Sequence[int]) -> Orientation:
        """The quarter turns and mirrorings of a container's display matrix, row by row as FFmpeg stores it.

        The matrix is needed whole: the angle that FFmpeg derives from it is 180° for a mirrored picture too.
        """
        a, b, _, c, d = matrix[:5]
        if max(abs(a), abs(d)) >= max(abs(b), abs(c)):
            return cls(mirrors_x=a < 0, mirrors_y=d < 0)
        return cls(swaps_axes=True, mirrors_x=c < 0, mirrors_y=b < 0)

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turns `image` upright."""
        if self.swaps_axes:
            image = np.asarray(cv2.transpose(image), np.uint8)
        if self.mirrors_x and self.mirrors_y:
            return np.asarray(cv2.flip(image, -1), np.uint8)
        if self.mirrors_x or self.mirrors_y:
            return np.asarray(cv2.flip(image, 1 if self.mirrors_x else 0), np.uint8)
        return image
