"""Resizes frames to the size at which flow is computed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from jaxtyping import UInt8
    from numpy.typing import NDArray

MOST_ENLARGED = 4.0
"""The greatest factor by which small frames are enlarged automatically."""


@dataclass(frozen=True)
class Resizing:
    """The size at which flow is computed: the frames' own times `scale`, with no side above `max_side` pixels.

    Frames of less than `smallest` pixels (height times width) are enlarged to that, at most four times: RAFT's error is
    proportional to its cell of 8 px.
    """

    scale: float = 1.0
    max_side: int | None = None
    smallest: int = 0

    def factor(self, height: int, width: int) -> float:
        """The size to compute at, as a multiple of the frame's."""
        factor = max(self.scale, min(MOST_ENLARGED, math.sqrt(self.smallest / (height * width))))
        return factor if self.max_side is None else min(factor, self.max_side / max(height, width))

    def size(self, height: int, width: int) -> tuple[int, int]:
        """The height and width to compute at, at least 1."""
        factor = self.factor(height, width)
        return max(1, round(height * factor)), max(1, round(width * factor))

    def larger_size(self, height: int, width: int) -> tuple[int, int]:
        """The height and width to refine at: those to compute at, or the frame's if they are larger."""
        return self.size(height, width) if self.factor(height, width) > 1 else (height, width)


def resized(
    image: UInt8[NDArray[np.uint8], "height width 3"], size: tuple[int, int]
) -> UInt8[NDArray[np.uint8], "rows columns 3"]:
    """The image at `size` (height, width): averaged over the area of a pixel if smaller, interpolated if larger."""
    if image.shape[:2] == size:
        return image
    larger = size[0] * size[1] > image.shape[0] * image.shape[1]
    method = cv2.INTER_CUBIC if larger else cv2.INTER_AREA
    return np.asarray(cv2.resize(image, size[::-1], interpolation=method), np.uint8)
