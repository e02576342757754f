"""Adds a mask head to a model without one, so that learned upsampling begins as interpolation."""

from __future__ import annotations

import torch

from raft_core.config import RaftConfig
from raft_core.raft import RAFT
from raft_core.upsample import FACTOR, MaskHead

FLOOR = 1e-3
"""The smallest initial weight of a neighbour: at zero, its logit would be infinite."""


@torch.no_grad()
def with_mask_head(model: RAFT, config: RaftConfig) -> RAFT:
    """The model with a new mask head, as `config` has it; its weights are otherwise the same.

    Whatever the hidden state, the head at first gives weights of bilinear interpolation between the cells' centres.
    """
    grown = RAFT(config)
    head = grown.mask_head
    if not isinstance(head, MaskHead):
        raise ValueError(f"{config.name} has no mask head")
    grown.load_state_dict(model.state_dict(), strict=False)
    offset = (torch.arange(FACTOR) + 0.5) / FACTOR - 0.5  # from the cell's centre, in cells
    near = torch.stack([(-offset).clamp(min=0), 1 - offset.abs(), offset.clamp(min=0)])  # (3, FACTOR)
    weights = torch.einsum("iy,jx->ijyx", near, near).clamp(min=FLOOR)
    assert head.conv2.bias is not None  # noqa: S101 - for the type checker
    head.conv2.weight.zero_()
    # The head scales its logits by a quarter.
    head.conv2.bias.copy_(4 * weights.log().flatten())
    return grown.to(next(model.parameters()).device)
