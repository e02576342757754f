"""Cropping that a file asks for, which FFmpeg leaves to its callers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flowcli.media.pyav import boxes, matroska

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Crop:
    """How many pixels of the stored frames are not shown at each side."""

    left: int = 0
    right: int = 0
    top: int = 0
    bottom: int = 0

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The part of a (height, width, 3) image that is shown; all of it where nothing would remain."""
        height, width = image.shape[:2]
        shown = image[self.top : height - self.bottom, self.left : width - self.right]
        return np.ascontiguousarray(shown) if shown.size else image

    def __str__(self) -> str:
        return f"{self.left} left, {self.right} right, {self.top} top, {self.bottom} bottom"


NO_CROP = Crop()


def crop_of(path: Path, track: int) -> Crop:
    """The cropping of the video track with this number, from 0, of a Matroska or MP4 file; none of other files."""
    return Crop(**(matroska.cropped_sides(path, track) or boxes.cropped_sides(path, track)))
