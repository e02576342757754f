"""Which channels of the motion features and of the hidden state are shown: those asked for, or the most active."""

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
"""How many channels are chosen by themselves."""


@dataclass(frozen=True)
class Channels:
    """Numbers of channels, in the order they are shown; None leaves the choice to `chosen_for`."""

    motion: tuple[int, ...] | None
    hidden: tuple[int, ...] | None

    def chosen_for(self, observation: Observation) -> Channels:
        """With the most active channels where none were asked for; of the motion features also the flow itself."""
        updates = observation.updates
        flow = observation.config.motion_channels - 2
        motion, hidden = self.motion, self.hidden
        if motion is None:
            # The flow would win always: its numbers are not in the range of the others.
            motion = (*most_active([update.motion_features[:flow] for update in updates]), flow, flow + 1)
        if hidden is None:
            hidden = most_active([update.hidden for update in updates])
        return Channels(motion, hidden)


def most_active(maps: Sequence[Maps]) -> tuple[int, ...]:
    """The channels that vary most over the frame, on average over the updates, the most active first."""
    activity = np.mean([values.std(axis=(1, 2)) for values in maps], axis=0)
    return tuple(int(channel) for channel in np.argsort(-activity, kind="stable")[:MOST_ACTIVE])


def parse_channels(text: str, *, total: int, option: str) -> tuple[int, ...] | None:
    """Channels given as a comma list; None for `auto`, UsageError for what is none of the `total` channels."""
    if text == "auto":
        return None
    parts = [part.strip() for part in text.split(",") if part.strip()]
    wrong = [part for part in parts if not part.isdecimal() or int(part) >= total]
    if wrong or not parts:
        raise UsageError(
            f"{option} {text}: {wrong[0] if wrong else 'nothing'} is no channel",
            hint=f"these weights have channels 0 to {total - 1}; write them like 3,14,15, or auto",
        )
    return tuple(dict.fromkeys(int(part) for part in parts))
