"""A stereo model built from RAFT's parts, which searches for matches in one dimension, along the row."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from raft_core.config import SMALL
from raft_core.correlation import AllPairs
from raft_core.encoder import FeatureEncoder
from raft_core.grid import pixel_grid
from raft_core.update import ConvGRU, FlowHead, MotionEncoder
from raft_core.upsample import MaskHead, upsample_convex

RADIUS, HIDDEN, CONTEXT, MOTION = 8, 64, 64, 66


class Stereo(nn.Module):
    """Rectified pairs (batch, 3, height, width) in [-1, 1], sides multiples of 8 → disparity after every update."""

    def __init__(self) -> None:
        super().__init__()
        self.features = FeatureEncoder(SMALL, outputs=128, norm="instance")
        self.context = FeatureEncoder(SMALL, outputs=HIDDEN + CONTEXT, norm="none")
        self.motion = MotionEncoder(
            correlation_channels=2 * RADIUS + 1, correlation_widths=(64,), flow_widths=(32, 32), outputs=MOTION
        )
        self.gru = ConvGRU(hidden_channels=HIDDEN, context_channels=CONTEXT, motion_channels=MOTION, kernel=(3, 3))
        self.head = FlowHead(hidden_channels=HIDDEN, inner_channels=64)
        self.mask = MaskHead(hidden_channels=HIDDEN)

    def forward(self, left: Tensor, right: Tensor, iterations: int) -> list[Tensor]:
        """Disparity (batch, height, width) in pixels, positive where the match lies further left."""
        hidden, context = self.context(left).split((HIDDEN, CONTEXT), dim=1)
        hidden, prepared = torch.tanh(hidden), self.gru.prepare(torch.relu(context))
        first, second = self.features(torch.cat((left, right))).chunk(2)
        correlation = AllPairs(as_rows(first), as_rows(second), levels=1, radius=RADIUS)
        batch, _, rows, columns = first.shape
        grid = pixel_grid(rows, columns, like=first)
        flow = torch.zeros(batch, 2, rows, columns, device=left.device)
        disparities = []
        for _ in range(iterations):
            flow = flow.detach()  # as in RAFT, gradients pass through an update's delta, not through the flow before it
            centers = as_rows(grid + flow) * torch.tensor([1.0, 0.0], device=left.device).view(2, 1, 1)
            window = correlation.lookup(centers).view(batch, rows, 2 * RADIUS + 1, 2 * RADIUS + 1, columns)
            found = window[:, :, :, RADIUS].transpose(1, 2)  # (batch, x offset, rows, columns): y offset 0
            hidden = self.gru(hidden, self.motion(found, flow), prepared)
            flow = torch.cat((flow[:, :1] + self.head(hidden)[:, :1], flow[:, 1:]), dim=1)
            disparities.append(-upsample_convex(flow, self.mask(hidden))[:, 0])  # near points move to the left
        return disparities


def as_rows(maps: Tensor) -> Tensor:
    """Makes every row an image: (batch, channels, rows, columns) → (batch * rows, channels, 1, columns)."""
    return maps.transpose(1, 2).flatten(0, 1).unsqueeze(2)
