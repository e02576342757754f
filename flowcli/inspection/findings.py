"""The complete data of an inspection, from which `inspect.json` and the pictures are made."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from flowcli.inspection.frame_story import frame_story
from flowcli.inspection.loss import LOSS_DECAY, mean_error
from flowcli.inspection.maps import upsampling_difference
from flowcli.inspection.reading import Pixel, read
from flowcli.inspection.story import story_of
from raft_core.raft import MOVING
from raft_core.upsample import FACTOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Float
    from numpy.typing import NDArray

    from flowcli.flow.colour import ColourScale
    from flowcli.inspection.ablation import Ablation
    from flowcli.inspection.channels import Channels
    from flowcli.inspection.inputs import Subject
    from flowcli.inspection.observation import Observation
    from flowcli.inspection.reading import Reading
    from flowcli.inspection.story import Story
    from flowcli.model.weights import Weights


@dataclass(frozen=True, eq=False)
class Findings:
    """The frames, the run of the model, the readings at pixels, the channels and colour scale to draw with, and runs
    with parts of RAFT switched off.
    """

    subject: Subject
    observation: Observation
    readings: tuple[Reading, ...]
    weights: Weights
    channels: Channels
    scale: ColourScale
    ablations: tuple[Ablation, ...] = ()

    @cached_property
    def stories(self) -> tuple[Story, ...]:
        """What happened at every pixel, in sentences."""
        learned = self.observation.config.upsampling == "convex"
        return tuple(
            story_of(reading, learned=learned, truth=self.truth_at(reading.pixel)) for reading in self.readings
        )

    @cached_property
    def story(self) -> dict[str, str]:
        """What happened over the frame, in sentences by step, and how the loss weighs the updates."""
        return frame_story(self)

    @cached_property
    def edge(self) -> Reading | None:
        """The pixel where convex and bilinear flow differ most; None if by less than 1 px, or if all is bilinear."""
        difference = upsampling_difference(self.observation)
        if difference is None or difference.max() < 1:
            return None
        y, x = np.unravel_index(int(np.argmax(difference)), difference.shape)
        return read(self.observation, Pixel(int(x), int(y), "convex and bilinear flow differ most", "edge"))

    def truth_at(self, pixel: Pixel) -> Float[NDArray[np.float32], " 2"] | None:
        """The ground truth of a pixel in px; None if it is unknown."""
        ground_truth = self.subject.ground_truth
        if ground_truth is None or not ground_truth.valid[pixel.y, pixel.x]:
            return None
        return np.asarray(ground_truth.flow[pixel.y, pixel.x])

    @property
    def iterations(self) -> int:
        """The number of updates."""
        return len(self.observation.updates)

    @cached_property
    def mean_updates(self) -> NDArray[np.float64]:
        """The mean length of each update over the visible cells, in source px."""
        return np.array([lengths.mean() for lengths in self._update_lengths()])

    @property
    def fast_updates(self) -> NDArray[np.float64]:
        """The length of each update in source px that all but `MOVING` of the visible cells stay below."""
        return np.array([np.quantile(lengths, 1 - MOVING) for lengths in self._update_lengths()])

    def _update_lengths(self) -> Iterator[NDArray[np.floating]]:
        """The lengths of each update in source px, of the visible cells."""
        visible = self.observation.grid.visible
        for update in self.observation.updates:
            yield FACTOR * np.linalg.norm(update.delta[:, *visible], axis=0)

    @property
    def loss_weights(self) -> NDArray[np.float64]:
        """The weight of each update's flow in RAFT's training loss."""
        return LOSS_DECAY ** np.arange(self.iterations - 1, -1, -1, dtype=np.float64)

    @property
    def loss_shares(self) -> NDArray[np.float64]:
        """The same as shares of their sum."""
        return np.asarray(self.loss_weights / self.loss_weights.sum())

    @cached_property
    def errors(self) -> NDArray[np.float64] | None:
        """The mean end-point error after each update, in px; None without ground truth."""
        ground_truth = self.subject.ground_truth
        if ground_truth is None:
            return None
        return np.array([mean_error(update.flow, ground_truth) for update in self.observation.updates])
