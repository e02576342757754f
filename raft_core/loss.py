"""How far a sequence of flows is from the truth, as RAFT is trained on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float, Shaped
    from torch import Tensor

# Keeps the gradient of a power finite at the truth; px.
SMOOTHING = 0.01


def sequence_loss(
    flows: Sequence[Float[Tensor, "batch 2 height width"]],
    target: Float[Tensor, "batch 2 height width"],
    valid: Shaped[Tensor, "batch height width"],
    *,
    gamma: float,
    max_flow: float = 400.0,
    power: float = 1.0,
) -> Float[Tensor, ""]:
    """The L1 distance of every refinement's flow to the target, later refinements weighing more.

    The sum over i of gamma^(N-1-i) · mean |flows[i] − target|, in pixels. A `power` below 1 makes that
    mean (|flows[i] − target| + 0.01)^power: a pixel then pulls the harder the nearer it is to the truth, and the few
    that are far off no longer drown the others (as PWC-Net is fine-tuned). Pixels count where `valid` (bool, or a
    mask >= 0.5) and |target| < `max_flow`; the others add nothing but stay in the denominator (princeton-vl/RAFT
    train.py). An uncounted target may be anything, NaN included. Computed in float32 whatever the flows' type.
    """
    if not flows:
        raise ValueError("sequence_loss needs at least one flow")
    # NaN compares false, so an unknown target is left out too.
    counted = ((valid >= 0.5) & (torch.linalg.vector_norm(target, dim=1) < max_flow)).unsqueeze(1)
    # Zeroed before the difference: the gradient of |x − NaN| is NaN even where a mask later multiplies it by 0.
    target = torch.where(counted, target, 0.0).float()
    last = len(flows) - 1
    terms = []
    for step, flow in enumerate(flows):
        distance = (flow.float() - target).abs()
        if power != 1:
            distance = (distance + SMOOTHING) ** power
        terms.append(gamma ** (last - step) * torch.where(counted, distance, 0.0).mean())
    return torch.stack(terms).sum()
