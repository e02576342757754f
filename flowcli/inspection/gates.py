"""The gates of the GRU at one cell, which `RAFT.updates` does not keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from raft_core.update import PreparedPass

if TYPE_CHECKING:
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
    patch = (slice(None), slice(top, cell.row + REACH + 1), slice(left, cell.column + REACH + 1))
    here = (0, slice(None), cell.row - top, cell.column - left)
    block = observation.model.update_block
    device = next(block.parameters()).device

    def around(maps: NDArray[np.float32]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(maps[patch]))[None].to(device)

    states = [observation.hidden, *(update.hidden for update in observation.updates[:-1])]
    gates = []
    with torch.inference_mode():
        prepared: tuple[PreparedPass, ...] = block.prepare(around(observation.context))
        for state, update in zip(states, observation.updates, strict=True):
            hidden, motion = around(state), around(update.motion_features)
            passes = []
            for gru, ready in zip(block.passes(), prepared, strict=True):
                passes.append(torch.stack([gate[here] for gate in gru.gates(hidden, motion, ready)]))
                hidden = gru(hidden, motion, ready)
            gates.append(torch.stack(passes, dim=1))  # (2, passes, hidden)
    both = torch.stack(gates, dim=1).cpu().numpy()
    return both[0], both[1]
