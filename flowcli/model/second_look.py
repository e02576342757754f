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
CLOSE, APART = 4.0, 8.0
"""Distances between both looks in px, likewise: a plain sky is mistaken more easily when it is enlarged."""
NEIGHBOURHOOD = 33
"""The side in px of the square around a pixel whose greatest value counts."""


def enlargement(height: int, width: int) -> float | None:
    """The factor at which frames of this size are looked at again; None where that is not worth it."""
    factor = min(MOST_ENLARGED, math.sqrt(MOST_PIXELS / (height * width)))
    return factor if factor >= LEAST_ENLARGED else None


def blended(
    flow: Float[Tensor, "batch 2 height width"], closer: Float[Tensor, "batch 2 height width"]
) -> Float[Tensor, "batch 2 height width"]:
    """The second look where motion is moderate and both agree, else the first, with smooth transitions; both in px."""
    fastest = greatest(flow.norm(dim=1, keepdim=True))
    apart = greatest((closer - flow).norm(dim=1, keepdim=True))
    share = ((FAST - fastest) / (FAST - MODERATE)).clamp(0, 1) * ((APART - apart) / (APART - CLOSE)).clamp(0, 1)
    share = F.avg_pool2d(share, NEIGHBOURHOOD, stride=1, padding=NEIGHBOURHOOD // 2, count_include_pad=False)
    return flow + share * (closer - flow)


def greatest(plane: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch 1 height width"]:
    """The greatest value around each pixel."""
    return F.max_pool2d(plane, NEIGHBOURHOOD, stride=1, padding=NEIGHBOURHOOD // 2)
