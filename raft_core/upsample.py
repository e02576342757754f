"""Upsampling of flow from 1/8 to full resolution, and from its pixels to full-resolution ones (RAFT section 3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from raft_core.convolution import Convolution

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

FACTOR = 8


class MaskHead(nn.Module):
    """Predicts, for every fine pixel, the logits of the 3×3 coarse flows that it combines."""

    def __init__(self, *, hidden_channels: int, inner_channels: int = 256) -> None:
        super().__init__()
        self.conv1 = Convolution(hidden_channels, inner_channels, 3)
        self.conv2 = nn.Conv2d(inner_channels, 9 * FACTOR * FACTOR, 1)

    def forward(self, hidden: Float[Tensor, "batch hidden rows columns"]) -> Float[Tensor, "batch 576 rows columns"]:
        """Logits; channel k·64 + y·8 + x belongs to neighbour k (row by row) of fine pixel (x, y) in its cell."""
        logits: Tensor = self.conv2(torch.relu(self.conv1(hidden)))
        # Meant to balance gradients in training; the published weights were trained with it (princeton-vl update.py).
        return 0.25 * logits


def convex_weights(logits: Float[Tensor, "batch 576 rows columns"]) -> Float[Tensor, "batch 9 8 8 rows columns"]:
    """How much each of the 3×3 neighbours (dim 1) counts for each fine pixel (dims 2, 3: its row and column)."""
    batch, _, rows, columns = logits.shape
    return torch.softmax(logits.view(batch, 9, FACTOR, FACTOR, rows, columns), dim=1)


def upsample_convex(
    flow: Float[Tensor, "batch 2 rows columns"], logits: Float[Tensor, "batch 576 rows columns"]
) -> Float[Tensor, "batch 2 height width"]:
    """Flow at eight times the resolution: each fine vector is a convex combination of its 3×3 coarse neighbours.

    Beyond the border the neighbours are zero, as in the published code.
    """
    batch, _, rows, columns = flow.shape
    neighbours = F.unfold(FACTOR * flow, kernel_size=3, padding=1).view(batch, 2, 9, rows, columns)
    weights = convex_weights(logits)
    fine = flow.new_zeros(batch, 2, FACTOR, FACTOR, rows, columns)
    # Seven times as fast as one sum over all nine, whose terms lie far apart in memory.
    for neighbour in range(9):
        fine = torch.addcmul(fine, weights[:, None, neighbour], neighbours[:, :, neighbour, None, None])
    return fine.permute(0, 1, 4, 2, 5, 3).reshape(batch, 2, FACTOR * rows, FACTOR * columns)


def upsample_bilinear(flow: Float[Tensor, "batch 2 rows columns"]) -> Float[Tensor, "batch 2 height width"]:
    """Flow at eight times the resolution by bilinear interpolation, corner to corner."""
    height, width = FACTOR * flow.shape[-2], FACTOR * flow.shape[-1]
    return FACTOR * F.interpolate(flow, size=(height, width), mode="bilinear", align_corners=True)
