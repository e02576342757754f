"""What the estimator remembers from batch to batch."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import torch

from raft_core.warm_start import carry_forward

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from jaxtyping import Float
    from numpy.typing import NDArray
    from torch import Tensor

    from flowcli.media.frames import Frame, FramePair
    from raft_core.raft import Context


@dataclass(eq=False)
class Encoded:
    """A frame on the device: padded, in model range, with its features; `source` is the picture it was made from."""

    source: NDArray[np.uint8]
    image: Float[Tensor, "1 3 height width"]
    features: Float[Tensor, "1 channels rows columns"]
    context: Context | None = None


class Memory:
    """What one batch leaves to the next.

    Encoded frames by index, the indices of the last pair's frames, and that pair's flows at 1/8 resolution.
    """

    def __init__(self) -> None:
        self.frames: dict[int, Encoded] = {}
        self.last: tuple[int, int] | None = None
        self.forward: Float[Tensor, "1 2 rows columns"] | None = None
        self.backward: Float[Tensor, "1 2 rows columns"] | None = None

    def forget(self) -> None:
        """Has the next pair start cold, from frames encoded afresh."""
        self.frames.clear()
        self.last = self.forward = self.backward = None

    def forget_frames(self) -> None:
        """Has every frame encoded afresh, as in a run that begins here."""
        self.frames.clear()

    def keep(self, indices: list[int]) -> None:
        """Forgets every frame outside the range of `indices`; those within it are wanted by later sliding pairs."""
        wanted = range(min(indices), max(indices) + 1)
        self.frames = {index: encoded for index, encoded in self.frames.items() if index in wanted}

    def knows(self, frame: Frame) -> bool:
        """Whether this very picture is encoded; another clip may number its frames alike."""
        return frame.index in self.frames and self.frames[frame.index].source is frame.image

    def steps_to(self, batch: list[FramePair]) -> list[float]:
        """How far each pair of the batch starts after the one before it, in lengths of a pair."""
        assert self.last is not None  # noqa: S101 - asked for warm starts only
        start, end = self.last
        starts = [start, *(pair.first.index for pair in batch)]
        return [(after - before) / (end - start) for before, after in pairwise(starts)]


def carried(
    flow: Float[Tensor, "1 2 rows columns"] | None, steps: Sequence[float]
) -> Float[Tensor, "steps 2 rows columns"] | None:
    """The flow carried forward by one step after another, a start for each; None where there is nothing to carry."""
    if flow is None or not steps:
        return None
    starts = []
    for step in steps:
        flow = carry_forward(flow, share=step)
        starts.append(flow)
    return torch.cat(starts)
