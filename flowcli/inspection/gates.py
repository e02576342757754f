"""The gates of the GRU at one cell, which `RAFT.updates` does not keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from raft_core.convolution import direct_convolutions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float
    from numpy.typing import NDArray

    from flowcli.inspection.grid import Cell
    from flowcli.inspection.observation import Observation

    Gates = Float[NDArray[np.float32], "updates passes hidden"]

REACH = 4
"""How many cells away a gate's inputs lie at most: twice the 2 cells of the large model's first pass."""


def gates_at(observation: Observation, cell: Cell) -> tuple[Gates, Gates]:
    """The update gate and the reset gate of a cell in every pass of every update, in float32.

    Update gate z: the next hidden state is (1 - z) times the old one plus z times the candidate.
    """
    top, left = max(0, cell.row - REACH), max(0, cell.column - REACH)
    rows, columns = slice(top, cell.row + REACH + 1), slice(left, cell.column + REACH + 1)
    here = (slice(None), slice(None), cell.row - top, cell.column - left)
    block = observation.model.update_block
    device = next(block.parameters()).device

    def around(maps: Sequence[NDArray[np.float32]]) -> torch.Tensor:
        return torch.from_numpy(np.stack([one[:, rows, columns] for one in maps])).to(device)

    hidden = around([observation.hidden, *(update.hidden for update in observation.updates[:-1])])  # (updates, C, h, w)
    motion = around([update.motion_features for update in observation.updates])
    passes = []
    with torch.inference_mode(), direct_convolutions():
        for gru, ready in zip(block.passes(), block.prepare(around([observation.context])), strict=True):
            passes.append(torch.stack([gate[here] for gate in gru.gates(hidden, motion, ready)]))
            hidden = gru(hidden, motion, ready)
    update_gate, reset_gate = torch.stack(passes, dim=2).cpu().numpy()  # (2, updates, passes, hidden)
    return update_gate, reset_gate
