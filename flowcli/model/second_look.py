"""A second look: flow is estimated again on enlarged frames, from the flow of the first look, where motion is moderate.

RAFT's error is proportional to its cell of 8 px. Fast motion gains nothing on a finer grid, where it spans more cells.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch.nn.functional as F  # noqa: N812

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

MOST_ENLARGED, LEAST_ENLARGED = 2.0, 1.25
MOST_PIXELS = 4_000_000
"""The size of the enlarged frames, at most."""
MOST_UPDATES = 8
MODERATE, FAST = 24.0, 36.0
"""Speeds in px: up to the first, the second look replaces the first one; from the second on, the first one remains."""
NEIGHBOURHOOD = 33
"""The side in px of the square around a pixel whose greatest speed counts."""


def enlargement(height: int, width: int) -> float | None:
    """The factor at which frames of this size are looked at again; None where that is not worth it."""
    factor = min(MOST_ENLARGED, math.sqrt(MOST_PIXELS / (height * width)))
    return factor if factor >= LEAST_ENLARGED else None


def blended(
    flow: Float[Tensor, "batch 2 height width"], closer: Float[Tensor, "batch 2 height width"]
) -> Float[Tensor, "batch 2 height width"]:
    """The second look where motion is moderate, else the first, with a smooth transition; both in px."""
    speed = flow.norm(dim=1, keepdim=True)
    fastest = F.max_pool2d(speed, NEIGHBOURHOOD, stride=1, padding=NEIGHBOURHOOD // 2)
    share = ((FAST - fastest) / (FAST - MODERATE)).clamp(0, 1)
    share = F.avg_pool2d(share, NEIGHBOURHOOD, stride=1, padding=NEIGHBOURHOOD // 2, count_include_pad=False)
    return flow + share * (closer - flow)
