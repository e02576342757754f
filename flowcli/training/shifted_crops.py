"""Pairs of two crops of one image, whose flow is a constant whole number of pixels, for the first stage of training.

On scenes alone, training in small batches stays on a plateau for its first thousand steps; on shifted crops the model
learns to use the correlation within a hundred (weights/NOTES.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from flowcli.training.augmentation.generated import AugmentedBatch
from raft_core.grid import is_inside, pixel_grid

if TYPE_CHECKING:
    from jaxtyping import UInt8
    from torch import Generator, Tensor


def shifted_crops(
    images: UInt8[Tensor, "batch 3 height width"], *, crop: tuple[int, int], reach: int, generator: Generator
) -> AugmentedBatch:
    """Two crops of (height, width) from every image, up to `reach` pixels apart on each axis, with the exact flow.

    Raises ValueError where the crops do not fit into the images.
    """
    rows, columns = (side - size - 2 * reach for side, size in zip(images.shape[-2:], crop, strict=True))
    if rows < 0 or columns < 0:
        raise ValueError(f"crops of {crop} that shift by {reach} do not fit into {tuple(images.shape[-2:])}")
    batch = len(images)
    tops = torch.randint(reach, reach + rows + 1, (batch,), generator=generator).tolist()
    lefts = torch.randint(reach, reach + columns + 1, (batch,), generator=generator).tolist()
    shifts = torch.randint(-reach, reach + 1, (batch, 2), generator=generator)  # x, y
    first, second = [], []
    for image, top, left, (x, y) in zip(images, tops, lefts, shifts.tolist(), strict=True):
        first.append(image[:, top : top + crop[0], left : left + crop[1]])
        # A second crop further left shows the content moved right.
        second.append(image[:, top - y : top - y + crop[0], left - x : left - x + crop[1]])
    flow = shifts.float().to(images.device)[:, :, None, None].expand(batch, 2, *crop)
    everywhere = torch.ones(batch, *crop, dtype=torch.bool, device=images.device)
    inside = is_inside(pixel_grid(*crop, like=flow) + flow, height=crop[0], width=crop[1])
    return AugmentedBatch(torch.stack(first), torch.stack(second), flow.contiguous(), everywhere, inside)
