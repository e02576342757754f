"""flowcli's model and torchvision's with the same weights, and frames for them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from functools import cache
from itertools import pairwise
from multiprocessing import get_context
from typing import Any, Self

import numpy as np
import pytest
import torch
from torch import Tensor

from flowcli.media.demo_clip import fan_frames, fan_frames_at
from flowcli.media.frames import Frame, FramePair
from flowcli.model.weights import find, load
from raft_core.config import LARGE, SMALL
from raft_core.images import to_model_range
from raft_core.raft import RAFT
from tests.benchmarks.figures import use_threads
from tests.peers import torchvision_raft
from tests.published_names import published_state

HEIGHT, WIDTH = 440, 1024


def ours(size: str) -> RAFT:
    """flowcli's model: with the embedded weights for `small` and `convex`, with random ones for `large`."""
    torch.manual_seed(0)
    embedded = {"small": "raft-small", "convex": "raft-small-convex"}
    return (load(find(embedded[size])) if size in embedded else RAFT(LARGE)).eval()


def theirs(model: RAFT) -> Any:
    """torchvision's model with the same weights, or None where it is not installed."""
    try:
        module = torchvision_raft()
    except pytest.skip.Exception:
        return None
    peer = getattr(module, model.config.name.replace("-", "_"))(weights=None)
    peer.load_state_dict(published_state(model, "torchvision"))
    return peer.eval()


class Peer:
    """torchvision's model in a separate process, where flowcli's allocator settings have no effect.

    The process keeps the images, so that `compute` transfers no tensors.
    """

    def __init__(self, model: RAFT, images: Sequence[Tensor]) -> None:
        start = (model.config.name, model.state_dict(), images, torch.get_num_threads())
        context = get_context("spawn")
        self._process = ProcessPoolExecutor(1, context, initializer=open_peer, initargs=start)
        self.installed = self._process.submit(has_peer).result()

    def compute(self) -> None:
        """Computes the pair with 12 updates."""
        self._process.submit(compute_peer).result()

    def flow(self) -> Tensor:
        """The flow of the last call to `compute`."""
        return self._process.submit(peer_flow).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.shutdown()


PEER: dict[str, Any] = {}
"""The state of the peer's process."""


def open_peer(name: str, state: dict[str, Tensor], images: Sequence[Tensor], threads: int) -> None:
    """Initialises the peer's process."""
    use_threads(threads)
    model = RAFT(LARGE if name == LARGE.name else SMALL)
    model.load_state_dict(state)
    PEER.update(model=theirs(model), images=images)


def has_peer() -> bool:
    """Whether torchvision is installed."""
    return PEER["model"] is not None


def compute_peer() -> None:
    """Computes the peer's flow and keeps it in the peer's process."""
    with torch.inference_mode():
        PEER["flow"] = PEER["model"](*PEER["images"], num_flow_updates=12)[-1]


def peer_flow() -> Tensor:
    """The flow that `compute_peer` kept."""
    return PEER["flow"].clone()


@cache
def fan(count: int, *, height: int = HEIGHT, width: int = WIDTH) -> list[Frame]:
    """The first frames of the demo's turning fan."""
    return list(fan_frames(count, height, width))


@cache
def calm(count: int) -> list[Frame]:
    """The same fan at a quarter of its speed."""
    return list(fan_frames_at(range(count), HEIGHT, WIDTH, slower=4))


def tensor(frame: Frame) -> Tensor:
    """A frame as the models' input (1, 3, height, width) in [-1, 1]."""
    return to_model_range(torch.from_numpy(np.ascontiguousarray(frame.image)).permute(2, 0, 1)[None])


def pairs_of(frames: list[Frame]) -> list[FramePair]:
    """Every frame with the next."""
    return [FramePair(a, b, continues=index > 0) for index, (a, b) in enumerate(pairwise(frames))]


def noise(height: int, width: int, *, shift: int) -> Frame:
    """A frame of noise, moved right by 3 px times `shift`."""
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Frame(shift, Fraction(shift, 25), np.roll(image, 3 * shift, axis=1))
