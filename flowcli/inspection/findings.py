"""The complete data of an inspection, from which `inspect.json` and the pictures are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from raft_core.upsample import FACTOR

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

    from flowcli.flow.colour import ColourScale
    from flowcli.inspection.channels import Channels
    from flowcli.inspection.inputs import GroundTruth, Subject
    from flowcli.inspection.observation import Observation
    from flowcli.inspection.reading import Reading
    from flowcli.model.weights import Weights

LOSS_DECAY = 0.8
"""RAFT's loss weights the flow after update i of N by this to the power N - i (Teed and Deng 2020, section 3.4)."""


@dataclass(frozen=True, eq=False)
class Findings:
    """The frames, the run of the model, the readings at pixels, and the channels and colour scale to draw with."""

    subject: Subject
    observation: Observation
    readings: tuple[Reading, ...]
    weights: Weights
    channels: Channels
    scale: ColourScale

    @property
    def iterations(self) -> int:
        """The number of updates."""
        return len(self.observation.updates)

    @property
    def mean_updates(self) -> NDArray[np.float64]:
        """The mean length of each update over the visible cells, in source px."""
        visible = self.observation.grid.visible
        deltas = [update.delta[:, *visible] for update in self.observation.updates]
        return np.array([FACTOR * np.linalg.norm(delta, axis=0).mean() for delta in deltas])

    @property
    def loss_weights(self) -> NDArray[np.float64]:
        """The weight of each update's flow in RAFT's training loss."""
        return LOSS_DECAY ** np.arange(self.iterations - 1, -1, -1, dtype=np.float64)

    @property
    def errors(self) -> NDArray[np.float64] | None:
        """The mean end-point error after each update, in px; None without ground truth."""
        ground_truth = self.subject.ground_truth
        if ground_truth is None:
            return None
        return np.array([mean_error(update.flow, ground_truth) for update in self.observation.updates])


def mean_error(flow: Float[NDArray[np.float32], "height width 2"], ground_truth: GroundTruth) -> float:
    """The mean end-point error over the pixels with ground truth, in px; NaN if there are none."""
    error = np.linalg.norm(flow - ground_truth.flow, axis=2)[ground_truth.valid]
    return float(error.mean()) if error.size else float("nan")
