"""Maps over the frame that pictures show in colours: what they hold, and the range of their colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float
    from numpy.typing import NDArray

    from flowcli.inspection.channels import Channels
    from flowcli.inspection.observation import Observation

    Map = Float[NDArray[np.float32], "rows columns"]
    Maps = Float[NDArray[np.float32], "channels rows columns"]


@dataclass(frozen=True, eq=False)
class ChannelSequence:
    """One channel over the steps that it is shown at, in one range of colours: from its least value to its greatest."""

    channel: int
    maps: Sequence[Map]

    @property
    def low(self) -> float:
        """Its least value at any step."""
        return float(np.min(self.maps))

    @property
    def high(self) -> float:
        """Its greatest value at any step."""
        return float(np.max(self.maps))


def feature_maps(observation: Observation) -> dict[str, Maps]:
    """What the encoders made of the frames, by its name in the record, without the cells that show only padding."""
    maps = {
        "first": observation.first_features,
        "second": observation.second_features,
        "hidden": observation.hidden,
        "context": observation.context,
    }
    return {name: values[:, *observation.grid.visible] for name, values in maps.items()}


def motion_sequences(observation: Observation, channels: Channels) -> list[ChannelSequence]:
    """The motion features that are shown, one map for every update."""
    return sequences([update.motion_features for update in observation.updates], channels.motion or (), observation)


def hidden_sequences(observation: Observation, channels: Channels) -> list[ChannelSequence]:
    """The channels of the hidden state that are shown: one map before the first update and one after each."""
    states = [observation.hidden, *(update.hidden for update in observation.updates)]
    return sequences(states, channels.hidden or (), observation)


def sequences(steps: Sequence[Maps], channels: Sequence[int], observation: Observation) -> list[ChannelSequence]:
    """Channels over steps, without the cells that show only padding."""
    return [
        ChannelSequence(channel, [maps[channel][observation.grid.visible] for maps in steps]) for channel in channels
    ]


def upsampling_difference(observation: Observation) -> Float[NDArray[np.float32], "height width"] | None:
    """How far the learned upsampling is from the bilinear one at every pixel, in px; None where nothing is learned."""
    if observation.config.upsampling != "convex":
        return None
    difference = np.linalg.norm(observation.flow - observation.bilinear_flow, axis=2)
    return np.asarray(difference, np.float32)
