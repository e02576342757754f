"""The size that flow is computed at, where that is not the frame's own."""

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
    """How frames are made smaller before flow is computed: by `scale`, and until no side exceeds `max_side` pixels."""

    scale: float = 1.0
    max_side: int | None = None

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width to compute at; never larger than the frame, never empty."""
        factor = min(self.scale, 1.0)
        if self.max_side is not None:
            factor = min(factor, self.max_side / max(height, width))
        return max(1, round(height * factor)), max(1, round(width * factor))


def shrunk(
    image: UInt8[NDArray[np.uint8], "height width 3"], size: tuple[int, int]
) -> UInt8[NDArray[np.uint8], "rows columns 3"]:
    """The picture at a smaller (height, width), every pixel the average of what it covers."""
    if image.shape[:2] == size:
        return image
    return np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)
