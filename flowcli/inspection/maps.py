"""Maps over the frame that the pictures show in colours, and their ranges of values."""

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
    """The maps of one channel, in the order of the updates, and their common range of values."""

    channel: int
    maps: Sequence[Map]

    @property
    def low(self) -> float:
        """The minimum over all maps."""
        return float(np.min(self.maps))

    @property
    def high(self) -> float:
        """The maximum over all maps."""
        return float(np.max(self.maps))


def feature_maps(observation: Observation) -> dict[str, Maps]:
    """The outputs of the encoders by their names in inspect.json, cropped to the visible cells."""
    maps = {
        "first": observation.first_features,
        "second": observation.second_features,
        "hidden": observation.hidden,
        "context": observation.context,
    }
    return {name: values[:, *observation.grid.visible] for name, values in maps.items()}


def motion_sequences(observation: Observation, channels: Channels) -> list[ChannelSequence]:
    """The chosen channels of the motion features, one map per update."""
    return sequences([update.motion_features for update in observation.updates], channels.motion or (), observation)


def hidden_sequences(observation: Observation, channels: Channels) -> list[ChannelSequence]:
    """The chosen channels of the hidden state: one map before the first update and one after each."""
    states = [observation.hidden, *(update.hidden for update in observation.updates)]
    return sequences(states, channels.hidden or (), observation)


def sequences(states: Sequence[Maps], channels: Sequence[int], observation: Observation) -> list[ChannelSequence]:
    """Channels over successive states, cropped to the visible cells."""
    return [
        ChannelSequence(channel, [maps[channel][observation.grid.visible] for maps in states]) for channel in channels
    ]


def upsampling_difference(observation: Observation) -> Float[NDArray[np.float32], "height width"] | None:
    """The length in px of convex minus bilinear flow at every pixel; None if the model upsamples bilinearly."""
    if observation.config.upsampling != "convex":
        return None
    difference = np.linalg.norm(observation.flow - observation.bilinear_flow, axis=2)
    return np.asarray(difference, np.float32)
