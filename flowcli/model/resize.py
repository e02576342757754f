"""Reduces frames to the size at which flow is computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from jaxtyping import UInt8
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Reduction:
    """The reduction of frames before flow is computed: by `scale`, and until no side exceeds `max_side` pixels."""

    scale: float = 1.0
    max_side: int | None = None

    def size(self, height: int, width: int) -> tuple[int, int]:
        """The height and width to compute at: at most those of the frame, at least 1."""
        factor = min(self.scale, 1.0)
        if self.max_side is not None:
            factor = min(factor, self.max_side / max(height, width))
        return max(1, round(height * factor)), max(1, round(width * factor))


def shrunk(
    image: UInt8[NDArray[np.uint8], "height width 3"], size: tuple[int, int]
) -> UInt8[NDArray[np.uint8], "rows columns 3"]:
    """The image at a smaller `size` (height, width), each pixel the average of the area it covers."""
    if image.shape[:2] == size:
        return image
    return np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)
