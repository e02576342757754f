"""Chooses the channels of the motion features and of the hidden state to show: requested or most active ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flowcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float
    from numpy.typing import NDArray

    from flowcli.inspection.observation import Observation

    Maps = Float[NDArray[np.float32], "channels rows columns"]

MOST_ACTIVE = 6
"""The number of channels that are chosen automatically."""


@dataclass(frozen=True)
class Channels:
    """Channel numbers in the order they are shown; None means that `chosen_for` chooses."""

    motion: tuple[int, ...] | None
    hidden: tuple[int, ...] | None

    def chosen_for(self, observation: Observation) -> Channels:
        """The same with None replaced by the most active channels, and for motion features also by the flow's two."""
        updates = observation.updates
        flow = observation.config.motion_channels - 2
        motion, hidden = self.motion, self.hidden
        if motion is None:
            # The flow is not ranked with the others: its values have another range.
            motion = (*most_active([update.motion_features[:flow] for update in updates]), flow, flow + 1)
        if hidden is None:
            hidden = most_active([update.hidden for update in updates])
        return Channels(motion, hidden)


def most_active(maps: Sequence[Maps]) -> tuple[int, ...]:
    """The channels with the largest standard deviation over the frame, averaged over the updates, in that order."""
    activity = np.mean([values.std(axis=(1, 2)) for values in maps], axis=0)
    return tuple(int(channel) for channel in np.argsort(-activity, kind="stable")[:MOST_ACTIVE])


def smoothest(maps: Maps) -> tuple[int, ...]:
    """The channels in order of the correlation of neighbours in a row: what they show is easiest to recognise."""
    values = maps - maps.mean(axis=(1, 2), keepdims=True)
    products = (values[:, :, 1:] * values[:, :, :-1]).sum(axis=(1, 2))
    squares = (values**2).sum(axis=(1, 2))
    likeness = np.divide(products, squares, out=np.full_like(squares, -1), where=squares > 0)
    return tuple(int(channel) for channel in np.argsort(-likeness, kind="stable"))


def parse_channels(text: str, *, total: int, option: str) -> tuple[int, ...] | None:
    """The channels of a comma-separated list, None for `auto`; raises UsageError unless each is below `total`."""
    if text == "auto":
        return None
    parts = [part.strip() for part in text.split(",") if part.strip()]
    wrong = [part for part in parts if not part.isdecimal() or int(part) >= total]
    if wrong or not parts:
        raise UsageError(
            f"{option} {text}: {wrong[0] if wrong else 'nothing'} is not a channel",
            hint=f"these weights have channels 0 to {total - 1}; write them like 3,14,15, or auto",
        )
    return tuple(dict.fromkeys(int(part) for part in parts))
