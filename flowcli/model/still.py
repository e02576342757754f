"""Pairs whose frames are the same to the bit: nothing moves, and no model is needed to see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from flowcli.flow.estimate import Estimate
from flowcli.media.device_image import DeviceImage

if TYPE_CHECKING:
    from flowcli.media.frames import FramePair
    from flowcli.model.settings import Settings


def is_still(pair: FramePair) -> bool:
    """Whether both frames show exactly the same."""
    first, second = pair.first.image, pair.second.image
    if isinstance(first, DeviceImage) and isinstance(second, DeviceImage):
        return torch.equal(first.tensor, second.tensor)
    return first is second or np.array_equal(first, second)


def still_estimate(pair: FramePair, *, settings: Settings, device: torch.device) -> Estimate:
    """The flow of a still pair, zero, after no update."""
    height, width = pair.first.image.shape[:2]
    zero = torch.zeros(2, height, width, device=device)
    both = settings.direction == "both"
    return Estimate(
        pair=pair,
        forward=None if settings.direction == "backward" else zero,
        backward=None if settings.direction == "forward" else zero,
        occluded=torch.zeros(height, width, dtype=torch.bool, device=device) if both else None,
        iterations=0,
        warm=False,
    )
