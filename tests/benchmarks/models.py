"""Our model and torchvision's with the same weights, and frames to show them."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from flowcli.fan import fan_frames
from flowcli.frames import Frame, FramePair
from flowcli.weights import find, load
from raft_core.config import LARGE
from raft_core.images import to_model_range
from raft_core.raft import RAFT
from tests.peers import torchvision_raft
from tests.published_names import published_state

HEIGHT, WIDTH = 440, 1024


def ours(size: str) -> RAFT:
    """The embedded weights for `small`, and random ones for `large`."""
    torch.manual_seed(0)
    return (load(find("raft-small")) if size == "small" else RAFT(LARGE)).eval()


def theirs(model: RAFT) -> Any:
    """torchvision's model with the same weights, or None where it is not installed."""
    try:
        module = torchvision_raft()
    except pytest.skip.Exception:
        return None
    peer = getattr(module, model.config.name.replace("-", "_"))(weights=None)
    peer.load_state_dict(published_state(model, "torchvision"))
    return peer.eval()


def fan(count: int, *, height: int = HEIGHT, width: int = WIDTH) -> list[Frame]:
    """The first frames of the demo's turning fan."""
    return list(fan_frames(count, height, width))


def tensor(frame: Frame) -> Tensor:
    """A frame as models take it."""
    return to_model_range(torch.from_numpy(np.ascontiguousarray(frame.image)).permute(2, 0, 1)[None])


def pairs_of(frames: list[Frame]) -> list[FramePair]:
    """Every frame with the next."""
    return [FramePair(a, b, continues=index > 0) for index, (a, b) in enumerate(pairwise(frames))]


def noise(height: int, width: int, *, shift: int) -> Frame:
    """A picture of any size."""
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Frame(shift, Fraction(shift, 25), np.roll(picture, 3 * shift, axis=1))
