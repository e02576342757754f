"""Resizes frames to the size at which flow is computed."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from flowcli.media.device_image import DeviceImage
from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from jaxtyping import Float, UInt8
    from numpy.typing import NDArray
    from torch import Tensor

MOST_ENLARGED = 4.0
"""The greatest factor by which small frames are enlarged automatically."""


@dataclass(frozen=True)
class Resizing:
    """The size at which flow is computed: the frames' own times `scale`, with no side above `max_side` pixels.

    Frames of less than `smallest` pixels (height times width) are enlarged to that, at most four times: RAFT's error is
    proportional to its cell of 8 px. `part` of all that is taken.
    """

    scale: float = 1.0
    max_side: int | None = None
    smallest: int = 0
    part: float = 1.0

    def halved(self) -> Resizing:
        """Half of the same size."""
        return replace(self, part=self.part / 2)

    def factor(self, height: int, width: int) -> float:
        """The size to compute at, as a multiple of the frame's."""
        factor = max(self.scale, min(MOST_ENLARGED, math.sqrt(self.smallest / (height * width))))
        return self.part * (factor if self.max_side is None else min(factor, self.max_side / max(height, width)))

    def size(self, height: int, width: int) -> tuple[int, int]:
        """The height and width to compute at, at least 1."""
        factor = self.factor(height, width)
        return max(1, round(height * factor)), max(1, round(width * factor))

    def larger_size(self, height: int, width: int) -> tuple[int, int]:
        """The height and width to refine at: those to compute at, or the frame's if they are larger."""
        return self.size(height, width) if self.factor(height, width) > 1 else (height, width)


def resized_on(
    device: torch.device, image: UInt8[NDArray[np.uint8], "height width 3"], size: tuple[int, int]
) -> UInt8[Tensor, "1 3 rows columns"]:
    """The image at `size` (height, width) on a device; one that is there already does not leave it."""
    if isinstance(image, DeviceImage):
        return _resized_tensor(image.tensor.to(device)[None], size)
    # Copied because torch takes neither a mirrored array nor, without a warning, a read-only one.
    return torch.from_numpy(resized(image, size).copy()).to(device).permute(2, 0, 1)[None]


def grey_on(
    device: torch.device, image: UInt8[NDArray[np.uint8], "height width 3"], size: tuple[int, int]
) -> Float[Tensor, "1 1 rows columns"]:
    """The image at `size` (height, width) on a device, in grey values from 0 to 255."""
    if isinstance(image, DeviceImage):
        red, green, blue = resized_on(device, image, size).int().unbind(1)
        # As OpenCV does, to the bit.
        return ((9798 * red + 19235 * green + 3735 * blue + 2**14) >> 15).float()[None]
    grey = cv2.cvtColor(resized(image, size), cv2.COLOR_RGB2GRAY)
    return torch.from_numpy(grey).to(device).float()[None, None]


def _resized_tensor(
    image: UInt8[Tensor, "1 3 height width"], size: tuple[int, int]
) -> UInt8[Tensor, "1 3 rows columns"]:
    """As `resized`, to within rounding."""
    height, width = image.shape[-2:]
    if (height, width) == size:
        return image
    if size[0] * size[1] > height * width:
        scaled = F.interpolate(image.float(), size, mode="bicubic", align_corners=False)
    else:
        rows, columns = (_shares(old, new, image.device) for old, new in ((height, size[0]), (width, size[1])))
        scaled = rows @ image.float() @ columns.T
    return scaled.round().clamp(0, 255).byte()


def _shares(old: int, new: int, device: torch.device) -> Float[Tensor, "new old"]:
    """The part of each of `new` pixels that each of `old` ones covers."""
    edges = torch.arange(new + 1, device=device, dtype=torch.float32) * (old / new)
    cells = torch.arange(old, device=device)
    covered = torch.minimum(edges[1:, None], cells + 1) - torch.maximum(edges[:-1, None], cells)
    return covered.clamp(min=0) * (new / old)


def resized(
    image: UInt8[NDArray[np.uint8], "height width 3"], size: tuple[int, int]
) -> UInt8[NDArray[np.uint8], "rows columns 3"]:
    """The image at `size` (height, width): averaged over the area of a pixel if smaller, interpolated if larger."""
    if image.shape[:2] == size:
        return image
    larger = size[0] * size[1] > image.shape[0] * image.shape[1]
    method = cv2.INTER_CUBIC if larger else cv2.INTER_AREA
    return np.asarray(cv2.resize(image, size[::-1], interpolation=method), np.uint8)
