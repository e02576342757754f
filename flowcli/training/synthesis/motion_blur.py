"""Motion blur: what a layer looks like when it moves while the shutter is open."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

LONGEST = 32.0


def motion_blurred(
    rgb: Float[Tensor, "batch 3 height width"],
    alpha: Float[Tensor, "batch 1 height width"],
    path: Float[Tensor, "batch 2 height width"],
    *,
    longest: float,
) -> tuple[Float[Tensor, "batch 3 height width"], Float[Tensor, "batch 1 height width"]]:
    """Colour and opacity averaged along `path`, in pixels, of which half lies before each pixel and half after.

    `longest` is about the longest path; none counts for more than 32 px.
    Averaging two copies half a path apart, then a quarter, and so on, is a mean over 2^n places in 2n lookups.
    """
    length = torch.hypot(path[:, :1], path[:, 1:])
    path = path * (LONGEST / length.clamp(min=LONGEST))
    steps = math.ceil(math.log2(min(max(longest, 2.0), LONGEST)))
    height, width = rgb.shape[-2:]
    y, x = ((torch.arange(size, device=rgb.device) + 0.5) * 2 / size - 1 for size in (height, width))
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)
    stride = path.permute(0, 2, 3, 1) * (2 / path.new_tensor([width, height]))
    layer = torch.cat([rgb * alpha, alpha], 1)
    for step in range(steps):
        offset = stride * 0.5 ** (step + 1)
        before, after = (
            functional.grid_sample(layer, grid + side * offset, padding_mode="border", align_corners=False)
            for side in (-0.5, 0.5)
        )
        layer = (before + after) / 2
    return layer[:, :3] / layer[:, 3:].clamp(min=1e-4), layer[:, 3:]
