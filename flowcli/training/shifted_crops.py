"""The first lesson: two crops of one picture, so that the flow is a whole shift and matching is all there is to learn.

On scenes alone a small batch spends its first thousand steps on a plateau, where the model reads motion from the first
frame; on shifts it finds the correlation in a hundred (weights/NOTES.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from flowcli.training.augmentation.generated import AugmentedBatch

if TYPE_CHECKING:
    from jaxtyping import UInt8
    from torch import Generator, Tensor


def shifted_crops(
    pictures: UInt8[Tensor, "batch 3 height width"], *, crop: tuple[int, int], reach: int, generator: Generator
) -> AugmentedBatch:
    """Crops of (height, width) from every picture, the second up to `reach` pixels away from the first on each axis.

    The flow is exact. Raises ValueError where the pictures have no room for it.
    """
    rows, columns = (side - size - 2 * reach for side, size in zip(pictures.shape[-2:], crop, strict=True))
    if rows < 0 or columns < 0:
        raise ValueError(f"crops of {crop} that shift by {reach} do not fit into {tuple(pictures.shape[-2:])}")
    batch = len(pictures)
    tops = torch.randint(reach, reach + rows + 1, (batch,), generator=generator).tolist()
    lefts = torch.randint(reach, reach + columns + 1, (batch,), generator=generator).tolist()
    shifts = torch.randint(-reach, reach + 1, (batch, 2), generator=generator)  # x, y
    first, second = [], []
    for picture, top, left, (x, y) in zip(pictures, tops, lefts, shifts.tolist(), strict=True):
        first.append(picture[:, top : top + crop[0], left : left + crop[1]])
        # What moves right is found further left in the second crop's own picture.
        second.append(picture[:, top - y : top - y + crop[0], left - x : left - x + crop[1]])
    flow = shifts.float().to(pictures.device)[:, :, None, None].expand(batch, 2, *crop)
    everywhere = torch.ones(batch, *crop, dtype=torch.bool, device=pictures.device)
    height, width = crop
    x_end = torch.arange(width, device=pictures.device) + flow[:, 0]
    y_end = torch.arange(height, device=pictures.device)[:, None] + flow[:, 1]
    inside = (x_end >= 0) & (x_end <= width - 1) & (y_end >= 0) & (y_end <= height - 1)
    return AugmentedBatch(torch.stack(first), torch.stack(second), flow.contiguous(), everywhere, inside)
