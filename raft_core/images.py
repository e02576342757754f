"""Images as the model takes them: RGB in [-1, 1], padded to multiples of 8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch.nn.functional as F  # noqa: N812

if TYPE_CHECKING:
    from jaxtyping import Float, Shaped, UInt8
    from torch import Tensor

Placement = Literal["centre", "bottom"]
"""Where rows of padding go: above and below (published as "sintel"), or all below (published as "kitti")."""

STRIDE = 8
# With fewer than 16 cells, the coarsest of four levels has a single one, and published RAFT returns NaN.
SMALLEST_SIDE = 128


def to_model_range(images: UInt8[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 3 height width"]:
    """RGB from 0 to 255 as float32 in [-1, 1]."""
    return images.float() * (2 / 255) - 1


@dataclass(frozen=True)
class Padding:
    """Pixels added on each side of an image to give it sides that the model takes; `crop` removes them."""

    left: int
    right: int
    top: int
    bottom: int

    @classmethod
    def for_size(cls, height: int, width: int, *, placement: Placement = "centre") -> Padding:
        """The least padding to sides that are multiples of 8 and at least 128.

        `centre` splits both axes (published as "sintel"); `bottom` puts all rows below (published as "kitti").
        """
        extra_height = missing(height)
        extra_width = missing(width)
        top = extra_height // 2 if placement == "centre" else 0
        left = extra_width // 2
        return cls(left=left, right=extra_width - left, top=top, bottom=extra_height - top)

    def pad(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels rows columns"]:
        """Pads images by repeating their border."""
        if not any((self.left, self.right, self.top, self.bottom)):
            return images
        return F.pad(images, (self.left, self.right, self.top, self.bottom), mode="replicate")

    def crop(self, padded: Shaped[Tensor, "*batch rows columns"]) -> Shaped[Tensor, "*batch height width"]:
        """Removes the padding."""
        rows, columns = padded.shape[-2:]
        return padded[..., self.top : rows - self.bottom, self.left : columns - self.right]


def missing(side: int) -> int:
    """The pixels that a side lacks to be a multiple of 8 and at least 128."""
    return max(-side % STRIDE, SMALLEST_SIDE - side)
