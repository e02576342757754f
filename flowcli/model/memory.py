"""The state that the estimator keeps between batches."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from threading import Lock
from typing import TYPE_CHECKING

import torch

from raft_core.warm_start import carry_forward

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    import numpy as np
    from jaxtyping import Float
    from numpy.typing import NDArray
    from torch import Tensor

    from flowcli.flow.estimate import Direction
    from flowcli.media.frames import Frame, FramePair
    from raft_core.raft import Context


@dataclass(eq=False)
class Encoded:
    """A frame on the device: padded, in [-1, 1], with its features; `source` is the image it was made from.

    `grey` is the source in grey values from 0 to 255, for refinement. Pairs that share a frame may be computed at the
    same time; `reading` is held while its context is computed.
    """

    source: NDArray[np.uint8]
    grey: Float[Tensor, "1 1 rows columns"] | None
    image: Float[Tensor, "1 3 height width"]
    features: Float[Tensor, "1 channels rows columns"]
    context: Context | None = None
    reading: Lock = field(default_factory=Lock)


class Memory:
    """The state that one batch leaves for the next.

    It holds encoded frames by index, the indices of the last pair's frames, and that pair's flows at 1/8 resolution.
    `smaller` holds the frames as encoded for a first look.
    """

    def __init__(self) -> None:
        self.frames: dict[int, Encoded] = {}
        self.last: tuple[int, int] | None = None
        self.flows: dict[Direction, Float[Tensor, "1 2 rows columns"]] = {}
        self._smaller: Memory | None = None

    @property
    def smaller(self) -> Memory:
        """The state of the first look, of which frames are kept only."""
        self._smaller = self._smaller or Memory()
        return self._smaller

    def forget(self) -> None:
        """Clears all state: the next pair starts cold, and its frames are encoded again."""
        self.forget_frames()
        self.forget_flow()

    def forget_flow(self) -> None:
        """Clears the last pair and its flow: the next pair starts cold."""
        self.last = None
        self.flows = {}

    def forget_frames(self) -> None:
        """Clears the encoded frames, as in a run that starts here; keeps the flow for warm start."""
        self.frames.clear()
        self._smaller = None

    def keep(self, batch: list[FramePair]) -> None:
        """Drops every frame outside the range of these pairs; sliding pairs need those within it later.

        Pairs of a reference need none but their own.
        """
        indices = {frame.index for pair in batch for frame in (pair.first, pair.second)}
        self.keep_frames(indices if batch[0].reference else range(min(indices), max(indices) + 1))

    def keep_frames(self, indices: Container[int]) -> None:
        """Drops every encoded frame but those with these indices."""
        self.frames = {index: encoded for index, encoded in self.frames.items() if index in indices}
        if self._smaller is not None:
            self._smaller.keep_frames(indices)

    def holds(self, frame: Frame) -> bool:
        """Whether this image is encoded; frames of another clip may have the same indices."""
        return frame.index in self.frames and self.frames[frame.index].source is frame.image

    def ends(self, batch: Iterable[FramePair]) -> tuple[list[Encoded], list[Encoded]]:
        """The first and the second frames of these pairs."""
        pairs = [(self.frames[pair.first.index], self.frames[pair.second.index]) for pair in batch]
        return [first for first, _ in pairs], [second for _, second in pairs]

    def offsets_to(self, batch: list[FramePair]) -> list[float]:
        """How far each pair of the batch starts after the previous one, as a multiple of the last pair's length."""
        assert self.last is not None  # noqa: S101 - called for warm starts only
        start, end = self.last
        starts = [start, *(pair.first.index for pair in batch)]
        return [(after - before) / (end - start) for before, after in pairwise(starts)]


def carried(
    flow: Float[Tensor, "1 2 rows columns"] | None, offsets: Sequence[float]
) -> Float[Tensor, "offsets 2 rows columns"] | None:
    """The flow carried forward by each offset in turn, all results; None without a flow or offsets."""
    if flow is None or not offsets:
        return None
    starts = []
    for offset in offsets:
        flow = carry_forward(flow, scale=offset)
        starts.append(flow)
    return torch.cat(starts)
