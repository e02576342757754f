"""The offset of the strongest response in every cell's lookup: the direction that a level proposes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from raft_core.config import RaftConfig


def strongest_offsets(
    correlation_features: Float[Tensor, "channels rows columns"],
    centers: Float[Tensor, "2 rows columns"],
    config: RaftConfig,
) -> Float[Tensor, "levels 2 rows columns"]:
    """The offset (right, down), in cells of the level, of the strongest response that lies within the level's map.

    NaN where the whole window lies outside.
    """
    rows, columns = centers.shape[1:]
    radius = config.lookup_radius
    steps = torch.arange(-radius, radius + 1, device=centers.device)
    windows = correlation_features.float().view(config.correlation_levels, len(steps), len(steps), rows, columns)
    proposals = []
    for level, window in enumerate(windows):
        x, y = (centers / 2**level)[:, None] + steps[:, None, None]  # (side, rows, columns) each
        inside_x = (x >= 0) & (x <= (columns >> level) - 1)
        inside_y = (y >= 0) & (y <= (rows >> level) - 1)
        # The x offset varies slowest in RAFT's order.
        inside = (inside_x[:, None] & inside_y[None]).flatten(0, 1)
        best = window.flatten(0, 1).masked_fill(~inside, -torch.inf).argmax(dim=0)
        offset = torch.stack([steps[best // len(steps)], steps[best % len(steps)]]).float()
        proposals.append(offset.masked_fill(~inside.any(dim=0), torch.nan))
    return torch.stack(proposals)
