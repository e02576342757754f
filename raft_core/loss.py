"""The losses of training: RAFT's sequence loss (section 3.4), and a matching loss on features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import avg_pool2d, log_softmax

from raft_core.grid import is_inside, pixel_grid
from raft_core.precision import wide

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Float, Shaped
    from torch import Tensor

# Keeps the gradient of a power finite where the error is 0; px.
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
    """The L1 distance of every update's flow to the target, with larger weights for later updates (RAFT equation 7).

    The sum over i of gamma^(N-1-i) · mean |flows[i] − target|, in pixels. A `power` other than 1 makes that
    mean (|flows[i] − target| + 0.01)^power: below 1, the gradient is largest where the error is smallest, so that a few
    large errors do not dominate (as PWC-Net is fine-tuned). Pixels count where `valid` (bool, or a mask >= 0.5) and
    |target| < `max_flow`; the others add nothing but stay in the denominator (princeton-vl/RAFT train.py), and their
    target may be NaN. Computed in at least float32 whatever the dtype of the flows. Raises ValueError without flows.
    """
    if not flows:
        raise ValueError("sequence_loss needs at least one flow")
    # NaN compares false, so unknown targets do not count either.
    counted = ((valid >= 0.5) & (torch.linalg.vector_norm(target, dim=1) < max_flow)).unsqueeze(1)
    # Zeroed before the difference: the gradient of |x − NaN| is NaN even where a mask later multiplies it by 0.
    target = wide(torch.where(counted, target, 0.0))
    last = len(flows) - 1
    terms = []
    for number, flow in enumerate(flows):
        distance = (wide(flow) - target).abs()
        if power != 1:
            distance = (distance + SMOOTHING) ** power
        terms.append(gamma ** (last - number) * torch.where(counted, distance, 0.0).mean())
    return torch.stack(terms).sum()


def matching_loss(
    first: Float[Tensor, "batch channels rows columns"],
    second: Float[Tensor, "batch channels rows columns"],
    target: Float[Tensor, "batch 2 height width"],
    valid: Bool[Tensor, "batch height width"],
) -> Float[Tensor, ""]:
    """The mean negative log-likelihood, in nats, of every cell's true match, given the features alone.

    Features are at 1/8 resolution, `target` is in pixels. The logits of a cell are its correlations with all cells of
    the second frame, scaled as in RAFT; its match lies between four cells, which count by their bilinear weights. Cells
    count where all their pixels are valid and their match lies inside the frame. The gradient reaches the feature
    encoder without passing through the recurrent unit, where it is noisy early in training.
    """
    channels, rows, columns = first.shape[1:]
    flow = avg_pool2d(target, 8) / 8
    match = pixel_grid(rows, columns, like=flow) + flow
    inside = is_inside(match, height=rows, width=columns)
    counted = (inside & (avg_pool2d(valid.float()[:, None], 8)[:, 0] == 1)).flatten()
    logits = wide(torch.einsum("bci,bcj->bij", first.flatten(2), second.flatten(2))) / channels**0.5
    likelihoods = log_softmax(logits.flatten(0, 1), dim=1)
    # Cells that do not count are masked, not left out: indexing by a mask would synchronise with the GPU.
    x, y = match.permute(1, 0, 2, 3).flatten(1).where(counted, 0.0)
    left, top = x.floor().clamp(max=columns - 2), y.floor().clamp(max=rows - 2)
    right, below = x - left, y - top
    total = likelihoods.new_zeros(())
    for dy, row_weight in ((0, 1 - below), (1, below)):
        for dx, column_weight in ((0, 1 - right), (1, right)):
            cells = ((top + dy) * columns + left + dx).long()
            total = total - (counted * row_weight * column_weight * likelihoods.gather(1, cells[:, None])[:, 0]).sum()
    return total / counted.sum().clamp(min=1)
