"""A look at pairs of frames: RAFT at one size, from the frames to its flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812

from flowcli.model.memory import Encoded
from flowcli.model.resize import grey_on, resized_on
from raft_core.grid import resize_flow
from raft_core.images import Padding, to_model_range
from raft_core.raft import Context, converge, last
from raft_core.upsample import FACTOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from jaxtyping import Float, UInt8
    from numpy.typing import NDArray
    from torch import Tensor

    from flowcli.flow.estimate import Direction
    from flowcli.media.frames import Frame, FramePair
    from flowcli.model.memory import Memory
    from flowcli.model.settings import Settings
    from flowcli.model.variational import Flow, Plane
    from raft_core.correlation import Correlation
    from raft_core.raft import RAFT, Update

    CoarseFlow = Float[Tensor, "batch 2 rows columns"]
    """Flow on the 1/8 grid, in its pixels."""


@dataclass(frozen=True, eq=False)
class Way:
    """Pairs in one direction: their encoded frames, the correlation of these, and the flow to start from, if any."""

    direction: Direction
    firsts: Sequence[Encoded]
    seconds: Sequence[Encoded]
    correlation: Correlation
    start: CoarseFlow | None

    @property
    def height(self) -> int:
        """The height of the source."""
        return int(self.firsts[0].source.shape[0])

    @property
    def width(self) -> int:
        """The width of the source."""
        return int(self.firsts[0].source.shape[1])

    @property
    def greys(self) -> tuple[Plane, Plane]:
        """The first and the second frames in grey values."""
        first, second = ([frame.grey for frame in end if frame.grey is not None] for end in (self.firsts, self.seconds))
        return torch.cat(first), torch.cat(second)


@dataclass(frozen=True, eq=False)
class Look:
    """Encodes frames and computes their flow at the size that the settings say, without refinement."""

    model: RAFT
    device: torch.device
    settings: Settings

    def encode(self, frames: Sequence[Frame], memory: Memory) -> list[Encoded]:
        """Uploads frames and stores them, with their features, in `memory`."""
        if not frames:
            return []
        images = torch.cat([self.upload(frame.image) for frame in frames])
        features = self.model.encode(images)
        encoded = []
        for number, frame in enumerate(frames):
            one = slice(number, number + 1)
            grey = None if self.settings.refinement is None else self.grey(frame.image)
            encoded.append(Encoded(frame.image, grey, images[one], features[one]))
            memory.frames[frame.index] = encoded[-1]
        return encoded

    def upload(self, image: UInt8[NDArray[np.uint8], "height width 3"]) -> Float[Tensor, "1 3 rows columns"]:
        """A frame's image on the device, resized, padded and in [-1, 1]."""
        size = self.settings.resizing.size(*image.shape[:2])
        return self.padding(*image.shape[:2]).pad(to_model_range(resized_on(self.device, image, size)))

    def grey(self, image: UInt8[NDArray[np.uint8], "height width 3"]) -> Float[Tensor, "1 1 rows columns"]:
        """A frame's image on the device in grey values from 0 to 255, at the size to refine at."""
        return grey_on(self.device, image, self.settings.refined_size(*image.shape[:2]))

    def grey_of(self, frames: Sequence[Encoded]) -> Plane:
        """Frames that may be encoded at another size, likewise."""
        return torch.cat([self.grey(frame.source) for frame in frames])

    def padding(self, height: int, width: int) -> Padding:
        """The padding of frames of this size, after they are resized."""
        return Padding.for_size(*self.settings.resizing.size(height, width), placement=self.settings.placement)

    def padded_size(self, height: int, width: int) -> tuple[int, int]:
        """The height and width at which frames of this size are computed, including padding."""
        rows, columns = self.settings.resizing.size(height, width)
        padding = self.padding(height, width)
        return rows + padding.top + padding.bottom, columns + padding.left + padding.right

    def ways(
        self,
        batch: Sequence[FramePair],
        memory: Memory,
        *,
        on_demand: bool,
        start: Callable[[Direction], CoarseFlow | None],
    ) -> Iterator[Way]:
        """The directions that the settings ask for, of pairs whose frames are encoded in `memory`."""
        firsts, seconds = memory.ends(batch)
        wanted = self.settings.direction
        if wanted == "backward":
            firsts, seconds = seconds, firsts
        features = [torch.cat([encoded.features for encoded in end]) for end in (firsts, seconds)]
        correlation = self.model.correlate(*features, on_demand=on_demand)
        only: Direction = "backward" if wanted == "backward" else "forward"
        yield Way(only, firsts, seconds, correlation, start(only))
        if wanted == "both":
            yield Way("backward", seconds, firsts, correlation.transposed(), start("backward"))

    def updates(self, way: Way) -> Iterator[Update]:
        """RAFT's updates of the flow."""
        return self.model.updates(way.correlation, self.contexts(way.firsts), initial_flow=way.start)

    def update(self, way: Way) -> tuple[Update, list[int]]:
        """The last of as many updates as the settings say, and their number for every pair."""
        settings, updates = self.settings, self.updates(way)
        if settings.tolerance is None:
            return last(updates, settings.iterations), [settings.iterations] * len(way.firsts)
        return converge(updates, at_most=settings.iterations, tolerance=settings.tolerance)

    def contexts(self, frames: Sequence[Encoded]) -> Context:
        """The context of each frame, computed at its first use."""
        for encoded in frames:
            with encoded.reading:
                if encoded.context is None:
                    encoded.context = self.model.read_context(encoded.image)
        contexts = [encoded.context for encoded in frames if encoded.context is not None]
        return Context(
            torch.cat([context.hidden for context in contexts]), torch.cat([context.context for context in contexts])
        )

    def refined(self, update: Update, way: Way) -> Flow:
        """The flow after an update, refined, at the size to refine at and in its pixels."""
        rows, columns = self.settings.refined_size(way.height, way.width)
        flow = self.padding(way.height, way.width).crop(update.upsampled())
        flow = resize_flow(flow, height=rows, width=columns)
        refinement = self.settings.refinement
        return flow if refinement is None else refinement.apply(*way.greys, flow)

    def given(self, batch: Sequence[FramePair]) -> CoarseFlow | None:
        """The flow that the pairs of a batch are to start from, in cells, 0 where it is unknown; None without any."""
        flows = [pair.initial_flow for pair in batch if pair.initial_flow is not None]
        if len(flows) < len(batch):
            return None
        flow = torch.stack(flows).to(self.device, torch.float32)
        return self.coarse(torch.where(flow.isfinite().all(dim=1, keepdim=True), flow, 0))

    def coarse(self, flow: Flow) -> CoarseFlow:
        """Flow at the source's size as updates start from it: averaged over cells of the 1/8 grid, in cells."""
        height, width = flow.shape[-2:]
        rows, columns = self.settings.resizing.size(height, width)
        padded = self.padding(height, width).pad(resize_flow(flow, height=rows, width=columns))
        return F.avg_pool2d(padded, FACTOR) / FACTOR

    def fitted(self, coarse: CoarseFlow, height: int, width: int) -> CoarseFlow:
        """The same on the grid of this look at frames of this size."""
        rows, columns = self.padded_size(height, width)
        return resize_flow(coarse, height=rows // FACTOR, width=columns // FACTOR)
