"""Motion blur of layers that move during the exposure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

LONGEST = 32.0
"""The length in px to which blur paths are limited."""


def motion_blurred(
    rgb: Float[Tensor, "batch 3 height width"],
    alpha: Float[Tensor, "batch 1 height width"],
    path: Float[Tensor, "batch 2 height width"],
    *,
    longest: float,
) -> tuple[Float[Tensor, "batch 3 height width"], Float[Tensor, "batch 1 height width"]]:
    """Colour and opacity averaged along `path` (in px), which is centred on each pixel and limited to `LONGEST`.

    `longest`, about the longest path in px, decides the number of samples. Averaging two copies half a path apart, then
    a quarter, and so on gives the mean of 2^n samples by 2n lookups.
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
