"""Pixel coordinates: grids, sampling at them, warping by flow, and resizing flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name in PyTorch code

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor


def pixel_grid(height: int, width: int, *, like: Tensor) -> Float[Tensor, "2 height width"]:
    """The (x, y) of every pixel, on the device and in the dtype of `like`."""
    ys = torch.arange(height, device=like.device, dtype=like.dtype)
    xs = torch.arange(width, device=like.device, dtype=like.dtype)
    y, x = torch.meshgrid(ys, xs, indexing="ij")
    return torch.stack((x, y))


def is_inside(
    points: Float[Tensor, "batch 2 rows columns"], *, height: int, width: int
) -> Bool[Tensor, "batch rows columns"]:
    """Whether points (x, y in pixels) lie within a frame of this size; unknown ones do not."""
    x, y = points.unbind(dim=1)
    return (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)


def sample(
    image: Float[Tensor, "batch channels height width"],
    points: Float[Tensor, "batch 2 rows columns"],
    *,
    outside: Literal["zeros", "border"] = "zeros",
    interpolation: Literal["bilinear", "nearest"] = "bilinear",
) -> Float[Tensor, "batch channels rows columns"]:
    """Reads `image` at `points` (x, y in pixels); `outside` is zero or the nearest pixel."""
    height, width = image.shape[-2:]
    # align_corners=False maps pixel x to (2x + 1) / width - 1, which holds for a side of a single pixel too.
    scale = points.new_tensor((2 / width, 2 / height))
    normalised = points.permute(0, 2, 3, 1) * scale + (scale / 2 - 1)
    return F.grid_sample(image, normalised, mode=interpolation, padding_mode=outside, align_corners=False)


@dataclass(frozen=True, eq=False)
class Warped:
    """A warped image; `inside` is false where the flow points out of the frame or is unknown."""

    image: Float[Tensor, "batch channels height width"]
    inside: Bool[Tensor, "batch height width"]


def warp_by(image: Float[Tensor, "batch channels height width"], flow: Float[Tensor, "batch 2 height width"]) -> Warped:
    """Pulls `image` back along `flow`: result[y, x] = image[y + v, x + u].

    Warping the second frame by first-to-second flow reproduces the first where nothing is occluded.
    """
    height, width = image.shape[-2:]
    points = pixel_grid(height, width, like=flow) + flow
    return Warped(sample(image, points), is_inside(points, height=height, width=width))


def resize_flow(
    flow: Float[Tensor, "batch 2 height width"], *, height: int, width: int
) -> Float[Tensor, "batch 2 rows columns"]:
    """Resizes a flow field and rescales its vectors, each axis by its own factor; a smaller one is averaged."""
    if flow.shape[-2:] == (height, width):
        return flow
    smaller = height * width < flow.shape[-2] * flow.shape[-1]
    resized = F.interpolate(flow, size=(height, width), mode="bilinear", align_corners=False, antialias=smaller)
    scale = flow.new_tensor((width / flow.shape[-1], height / flow.shape[-2]))
    return resized * scale.view(1, 2, 1, 1)
