"""Everything that an inspection found: what `inspect.json` records and the pictures show."""

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
    from flowcli.inspection.inputs import Subject, TrueFlow
    from flowcli.inspection.observation import Observation
    from flowcli.inspection.reading import Reading
    from flowcli.model.weights import Weights

LOSS_DECAY = 0.8
"""RAFT's sequence loss weighs the flow after update i of N by this to the power N - i."""


@dataclass(frozen=True, eq=False)
class Findings:
    """One inspection: the frames, the run of the model, the pixels that were looked at, and how it is drawn."""

    subject: Subject
    observation: Observation
    readings: tuple[Reading, ...]
    weights: Weights
    channels: Channels
    scale: ColourScale

    @property
    def iterations(self) -> int:
        """How many updates were made."""
        return len(self.observation.updates)

    @property
    def mean_updates(self) -> NDArray[np.float64]:
        """The mean length of each update over the cells that show the frame, in source pixels."""
        visible = self.observation.grid.visible
        deltas = [update.delta[:, *visible] for update in self.observation.updates]
        return np.array([FACTOR * np.linalg.norm(delta, axis=0).mean() for delta in deltas])

    @property
    def loss_weights(self) -> NDArray[np.float64]:
        """How much each update's flow would count in RAFT's training loss."""
        return LOSS_DECAY ** np.arange(self.iterations - 1, -1, -1, dtype=np.float64)

    @property
    def errors(self) -> NDArray[np.float64] | None:
        """The mean endpoint error after each update in pixels, where the truth is known."""
        truth = self.subject.truth
        if truth is None:
            return None
        return np.array([mean_error(update.flow, truth) for update in self.observation.updates])


def mean_error(flow: Float[NDArray[np.float32], "height width 2"], truth: TrueFlow) -> float:
    """The mean endpoint error over the pixels whose truth is known, in px; NaN where none is."""
    error = np.linalg.norm(flow - truth.flow, axis=2)[truth.valid]
    return float(error.mean()) if error.size else float("nan")
