"""From pairs of frames to flow: the one owner of device, precision, padding, batches, warm start and feature reuse."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import torch

from flowcli.device import autocast, free_bytes
from flowcli.errors import DeviceError
from flowcli.field import Estimate
from flowcli.frames import Frame, FramePair
from raft_core.images import Padding, to_model_range
from raft_core.raft import last
from raft_core.warm_start import carry_forward

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from jaxtyping import Float
    from numpy.typing import NDArray
    from torch import Tensor

    from raft_core.raft import RAFT


@dataclass(frozen=True)
class Settings:
    """How flow is computed. `batch` counts pairs per model call; `warm_start` begins a pair from an earlier flow."""

    iterations: int = 12
    warm_start: bool = False
    batch: int = 1
    precision: torch.dtype = torch.float32


class FlowEstimator:
    """Computes the flow of pairs of frames, in order, with one model on one device."""

    def __init__(self, model: RAFT, *, device: torch.device, settings: Settings | None = None) -> None:
        self.device = device
        self.settings = settings or Settings()
        self.model = model.to(device).eval()

    def estimate(self, pairs: Iterable[FramePair]) -> Iterator[Estimate]:
        """Yields the flow of every pair, at the frames' size and in their pixels.

        Frames are encoded once for all pairs they are part of. Pair i of a batch (from 0) starts from the last flow of
        the batch before, carried forward i + 1 times; a pair that does not continue the one before starts cold.
        """
        memory = Memory()
        for batch in in_batches(pairs, size=self.settings.batch):
            # Closed before anything is handed out: the consumer's code must not run in inference mode.
            with torch.inference_mode(), autocast(self.device, self.settings.precision):
                estimates = self.estimate_batch(batch, memory)
            yield from estimates

    def flow_between(self, first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The flow of two RGB pictures (height, width, 3) as (height, width, 2), in pixels."""
        pair = FramePair(Frame(0, Fraction(0), first), Frame(1, Fraction(1), second), continues=False)
        return next(self.estimate([pair])).flow

    def estimate_batch(self, batch: list[FramePair], memory: Memory) -> list[Estimate]:
        """The flow of pairs that follow one another; reads and renews what is remembered between batches."""
        height, width = batch[0].first.image.shape[:2]
        padding = Padding.for_size(height, width)
        self.check_memory(height, width, pairs=len(batch))
        memory.keep([frame.index for pair in batch for frame in (pair.first, pair.second)])
        for pair in batch:
            for frame in (pair.first, pair.second):
                if not memory.knows(frame):
                    memory.frames[frame.index] = self.encode(frame, padding)
        warm = self.settings.warm_start and batch[0].continues and memory.flow is not None
        initial = carried(memory.flow, len(batch)) if warm and memory.flow is not None else None
        firsts = [memory.frames[pair.first.index] for pair in batch]
        seconds = [memory.frames[pair.second.index] for pair in batch]
        context = self.model.read_context(torch.cat([encoded.image for encoded in firsts]))
        correlation = self.model.correlate(
            torch.cat([encoded.features for encoded in firsts]), torch.cat([encoded.features for encoded in seconds])
        )
        refined = last(self.model.refine(correlation, context, initial_flow=initial), self.settings.iterations)
        memory.flow = refined.flow[-1:]
        flows = padding.crop(refined.upsampled())
        return [
            Estimate(pair=pair, forward=flow, iterations=self.settings.iterations, warm=warm)
            for pair, flow in zip(batch, flows, strict=True)
        ]

    def check_memory(self, height: int, width: int, *, pairs: int) -> None:
        """Raises DeviceError where the correlation pyramid cannot fit: a system short of memory kills without a word.

        The pyramid holds (height / 8 · width / 8)² numbers and a third more.
        """
        needed = 4 * pairs * math.ceil(height / 8) ** 2 * math.ceil(width / 8) ** 2 * 4 // 3
        free = free_bytes(self.device)
        if free is not None and needed > free:
            raise DeviceError(
                f"frames of {width} x {height} need {needed / 2**30:.1f} GiB on {self.device}, "
                f"and {free / 2**30:.1f} GiB are free",
                hint="make the frames smaller" if pairs == 1 else "use a smaller --batch",
            )

    def encode(self, frame: Frame, padding: Padding) -> Encoded:
        """Uploads one frame and encodes it."""
        # Copied because torch takes neither a mirrored array nor, without a warning, a read-only one.
        pixels = torch.from_numpy(frame.image.copy()).to(self.device).permute(2, 0, 1)[None]
        image = padding.pad(to_model_range(pixels))
        return Encoded(frame.image, image, self.model.encode(image))


@dataclass(frozen=True, eq=False)
class Encoded:
    """A frame on the device: padded, in model range, with its features; `source` is the picture it was made from."""

    source: NDArray[np.uint8]
    image: Float[Tensor, "1 3 height width"]
    features: Float[Tensor, "1 channels rows columns"]


class Memory:
    """What one batch leaves to the next: encoded frames by their index, and the last flow at 1/8 resolution."""

    def __init__(self) -> None:
        self.frames: dict[int, Encoded] = {}
        self.flow: Float[Tensor, "1 2 rows columns"] | None = None

    def keep(self, indices: list[int]) -> None:
        """Forgets every frame outside the range of `indices`; those within it are wanted by later sliding pairs."""
        wanted = range(min(indices), max(indices) + 1)
        self.frames = {index: encoded for index, encoded in self.frames.items() if index in wanted}

    def knows(self, frame: Frame) -> bool:
        """Whether this very picture is encoded; another clip may number its frames alike."""
        return frame.index in self.frames and self.frames[frame.index].source is frame.image


def carried(flow: Float[Tensor, "1 2 rows columns"], times: int) -> Float[Tensor, "times 2 rows columns"]:
    """The flow carried forward once, twice, and so on up to `times`."""
    starts = [carry_forward(flow)]
    while len(starts) < times:
        starts.append(carry_forward(starts[-1]))
    return torch.cat(starts)


def in_batches(pairs: Iterable[FramePair], *, size: int) -> Iterator[list[FramePair]]:
    """Groups pairs that follow one another; a pair that does not continue the one before begins a new group."""
    batch: list[FramePair] = []
    for pair in pairs:
        if batch and not pair.continues:
            yield batch
            batch = []
        batch.append(pair)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
