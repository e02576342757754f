"""The error of a flow against ground truth, and the weights of RAFT's training loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

    from flowcli.inspection.inputs import GroundTruth

LOSS_DECAY = 0.8
"""RAFT's loss weights the flow after update i of N by this to the power N - i (Teed and Deng 2020, section 3.4)."""


def mean_error(flow: Float[NDArray[np.float32], "height width 2"], ground_truth: GroundTruth) -> float:
    """The mean end-point error over the pixels with ground truth, in px; NaN if there are none."""
    error = np.linalg.norm(flow - ground_truth.flow, axis=2)[ground_truth.valid]
    return float(error.mean()) if error.size else float("nan")
