"""Computes flow for pairs of frames, with batches, warm start and shared features."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812

from flowcli.flow.estimate import Estimate
from flowcli.media.frames import Frame, FramePair
from flowcli.model import plain
from flowcli.model.batches import Plans, frames_of, in_batches
from flowcli.model.device import autocast, choose_device, free_bytes
from flowcli.model.memory import Encoded, Memory, carried
from flowcli.model.memory_plan import MOST_AT_ONCE, Plan, demand_of, make_cpu_plan, make_plan
from flowcli.model.parallel import on_cores
from flowcli.model.quality import Effort
from flowcli.model.recovery import Recovery
from flowcli.model.resize import Resizing, grey_on, resized_on
from flowcli.model.second_look import MOST_UPDATES, blended, enlargement
from flowcli.model.settings import Settings
from flowcli.model.still import is_still, still_estimate
from flowcli.model.weights import Weights, load
from raft_core.consistency import find_occluded
from raft_core.grid import resize_flow
from raft_core.images import Padding, to_model_range
from raft_core.raft import Context, converge, last

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy as np
    from jaxtyping import Float
    from numpy.typing import NDArray
    from torch import Tensor

    from raft_core.correlation import Correlation
    from raft_core.raft import RAFT


class FlowEstimator:
    """Computes the flow of pairs of frames, in order, with one model on one device.

    `notes` lists deviations from the plan: smaller batches, another precision.
    """

    def __init__(self, model: RAFT, *, device: torch.device, settings: Settings | None = None) -> None:
        self.device = device
        self.settings = settings or Settings()
        self.model = model.to(device).eval()
        self.notes: list[str] = []

    def estimate(self, pairs: Iterable[FramePair], *, memory: Memory | None = None) -> Iterator[Estimate]:
        """Yields the flow of every pair, at the frames' size and in their pixels.

        Each frame is encoded once for all its pairs. With warm start, pair i of a batch (from 0) starts from the last
        flow of the previous batch, carried forward i + 1 times; a pair that does not continue the previous one starts
        cold. `memory` continues an earlier call and is updated for the next. A batch that does not fit into memory is
        computed in parts, one that is not finite in half precision again in float32; `notes` says so. Flow that is
        refined is zero where both frames are the same to the bit or up to noise, and follows the camera in plain
        regions, as `flowcli.model.plain` says. Raises DeviceError where a single pair does not fit.
        """
        memory = memory or Memory()
        plans = Plans(self.plan)

        def compute(batch: list[FramePair], plan: Plan, precision: torch.dtype) -> list[Estimate]:
            # Left before estimates are yielded: the caller's code must not run in inference mode.
            with torch.inference_mode(), autocast(self.device, precision):
                return self.estimate_batch(batch, memory, plan)

        recovery = Recovery(compute, forget=memory.forget, precision=self.settings.precision, notes=self.notes)
        for batch in in_batches(pairs, size=lambda pair: plans.of(pair).batch):
            # Published weights give still pairs the flow that RAFT gives them, which is not quite zero.
            still = [self.settings.refinement is not None and is_still(pair, self.device) for pair in batch]
            moving = [pair for pair, stands in zip(batch, still, strict=True) if not stands]
            estimates = iter(recovery.estimate(moving, plans.of(batch[0])))
            for pair, stands in zip(batch, still, strict=True):
                if stands:
                    yield still_estimate(pair, settings=self.settings, device=self.device)
                else:
                    yield next(estimates)

    def flow_between(self, first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The flow between two RGB images (height, width, 3), as (height, width, 2) in pixels."""
        pair = FramePair(Frame(0, Fraction(0), first), Frame(1, Fraction(1), second), continues=False)
        return next(self.estimate([pair])).flow

    def plan(self, height: int, width: int) -> Plan:
        """The plan for frames of this size; raises DeviceError where they do not fit into memory."""
        settings = self.settings
        budget = free_bytes(self.device)
        if settings.memory is not None:
            budget = min(settings.memory, budget or settings.memory)
        make = partial(make_cpu_plan, at_once=self.at_once()) if self.device.type == "cpu" else make_plan
        return make(
            *settings.resizing.size(height, width),
            config=self.model.config,
            both=settings.direction == "both",
            budget=budget,
            batch=settings.batch,
            on_demand=settings.on_demand,
            extra=self.extra_bytes(height, width),
        )

    def at_once(self) -> int:
        """How many pairs a CPU may compute at the same time; those that start from each other's flow, one by one."""
        together = torch.get_num_threads() // (self.settings.threads_each or 1)
        return 1 if self.settings.warm_start else max(1, min(together, MOST_AT_ONCE))

    def threads_each(self, plan: Plan) -> int | None:
        """How many threads compute one pair on a CPU; None elsewhere."""
        return self.settings.threads_each or (plan.at_once and torch.get_num_threads() // plan.at_once)

    def extra_bytes(self, height: int, width: int) -> int:
        """The memory of refinement and of a second look for one pair."""
        settings = self.settings
        extra = 0
        if settings.refinement is not None:
            refining = settings.refinement.bytes(math.prod(settings.refined_size(height, width)), self.device)
            extra += max(refining, plain.BYTES * height * width)
        if (closer := self.closer(height, width)) is not None:
            size = closer.settings.resizing.size(height, width)
            both = settings.direction == "both"
            extra += demand_of(*size, config=self.model.config, both=both, on_demand=True).of(1)
            extra += closer.extra_bytes(height, width)
        return extra

    def computed_size(self, width: int, height: int) -> tuple[int, int]:
        """The width and height at which frames of this size are computed, including padding."""
        rows, columns = self.settings.resizing.size(height, width)
        padding = Padding.for_size(rows, columns)
        return columns + padding.left + padding.right, rows + padding.top + padding.bottom

    def estimate_batch(self, batch: list[FramePair], memory: Memory, plan: Plan) -> list[Estimate]:
        """The flow of consecutive pairs; reads and updates `memory`."""
        frames = frames_of(batch)
        memory.keep(batch)
        missing = [frame for frame in frames if not memory.holds(frame)]
        threads_each = self.threads_each(plan)
        if plan.at_once is None or threads_each is None or self.settings.warm_start:
            self.encode(missing, memory)
            return self.estimate_together(batch, memory, plan)
        spread = partial(on_cores, at_once=plan.at_once, threads_each=threads_each)
        spread(lambda frame: self.encode([frame], memory), missing)
        estimates = spread(lambda pair: self.estimate_together([pair], memory, plan), batch)
        return [estimate for (estimate,) in estimates]

    def estimate_together(self, batch: list[FramePair], memory: Memory, plan: Plan) -> list[Estimate]:
        """The flow of consecutive pairs whose frames are encoded, in one batch of tensors."""
        settings = self.settings
        firsts, seconds = memory.ends(batch)
        features = [torch.cat([encoded.features for encoded in end]) for end in (firsts, seconds)]
        warm = settings.warm_start and batch[0].continues and memory.last is not None
        offsets = memory.offsets_to(batch) if warm else []
        given = self.initial_flow(batch)
        forward = backward = occluded = None
        taken = [0] * len(batch)
        if settings.direction == "backward":
            correlation = self.model.correlate(*reversed(features), on_demand=plan.on_demand)
        else:
            correlation = self.model.correlate(*features, on_demand=plan.on_demand)
            start = carried(memory.forward, offsets) if given is None else given
            memory.forward, forward, taken = self.update(correlation, start, firsts, seconds)
        if settings.direction == "both":
            correlation = correlation.transposed()
        if settings.direction != "forward":
            start = carried(memory.backward, [-offset for offset in offsets])
            start = given if settings.direction == "backward" and given is not None else start
            memory.backward, backward, others = self.update(correlation, start, seconds, firsts)
            taken = [max(both) for both in zip(taken, others, strict=True)]
        if settings.second_look:
            del correlation
            forward, backward = self.look_again(batch, forward, backward)
        if settings.refinement is not None:
            forward = None if forward is None else plain.settled(batch, forward)
            backward = None if backward is None else plain.settled(batch, backward, backward=True)
        if forward is not None and backward is not None:
            limits = settings.occlusion
            occluded = find_occluded(forward, backward, relative=limits.relative, absolute=limits.absolute)
        memory.last = (batch[-1].first.index, batch[-1].second.index)
        return [
            Estimate(
                pair=pair,
                forward=None if forward is None else forward[number],
                backward=None if backward is None else backward[number],
                occluded=None if occluded is None else occluded[number],
                iterations=taken[number],
                warm=warm,
            )
            for number, pair in enumerate(batch)
        ]

    def update(
        self,
        correlation: Correlation,
        start: Float[Tensor, "batch 2 rows columns"] | None,
        firsts: Sequence[Encoded],
        seconds: Sequence[Encoded],
    ) -> tuple[Float[Tensor, "1 2 rows columns"], Float[Tensor, "batch 2 height width"], list[int]]:
        """The last pair's flow at 1/8 resolution, all flows at the source's size, and their numbers of updates.

        The former, from which a next pair may start, is that of all pixels averaged, if they were refined.
        """
        settings = self.settings
        updates = self.model.updates(correlation, self.contexts(firsts), initial_flow=start)
        if settings.tolerance is None:
            final, taken = last(updates, settings.iterations), [settings.iterations] * len(firsts)
        else:
            final, taken = converge(updates, at_most=settings.iterations, tolerance=settings.tolerance)
        height, width = firsts[0].source.shape[:2]
        computed = settings.resizing.size(height, width)
        flow = Padding.for_size(*computed, placement=settings.placement).crop(final.upsampled())
        if settings.refinement is not None:
            rows, columns = settings.refined_size(height, width)
            flow = settings.refinement.apply(
                greys(firsts), greys(seconds), resize_flow(flow, height=rows, width=columns)
            )
        flow = resize_flow(flow, height=height, width=width)
        ends = settings.warm_start and settings.refinement is not None
        return self.coarse(flow[-1:]) if ends else final.flow[-1:].clone(), flow, taken

    def look_again(
        self, batch: list[FramePair], forward: Tensor | None, backward: Tensor | None
    ) -> tuple[Tensor | None, Tensor | None]:
        """The flows (batch, 2, height, width) after a second look, where frames of this size get one."""
        closer = self.closer(*batch[0].first.image.shape[:2])
        if closer is None:
            return forward, backward
        memory = Memory()
        closer.encode(frames_of(batch), memory)
        ends = memory.ends(batch)
        flows: list[Tensor | None] = []
        for flow, (firsts, seconds) in zip((forward, backward), (ends, ends[::-1]), strict=True):
            if flow is None:
                flows.append(None)
                continue
            features = [torch.cat([encoded.features for encoded in end]) for end in (firsts, seconds)]
            correlation = self.model.correlate(*features, on_demand=True)
            flows.append(blended(flow, closer.update(correlation, closer.coarse(flow), firsts, seconds)[1]))
        return flows[0], flows[1]

    def closer(self, height: int, width: int) -> FlowEstimator | None:
        """The estimator of the second look at frames of this size; None where there is none."""
        settings = self.settings
        factor = enlargement(*settings.resizing.size(height, width))
        if factor is None or not settings.second_look:
            return None
        resizing = Resizing(scale=factor * settings.resizing.factor(height, width))
        settings = replace(settings, resizing=resizing, iterations=min(MOST_UPDATES, settings.iterations))
        return FlowEstimator(self.model, device=self.device, settings=replace(settings, second_look=False))

    def initial_flow(self, batch: Sequence[FramePair]) -> Float[Tensor, "batch 2 rows columns"] | None:
        """The flow that the pairs of a batch are to start from, in cells, 0 where it is unknown; None without any."""
        given = [pair.initial_flow for pair in batch if pair.initial_flow is not None]
        if len(given) < len(batch):
            return None
        flow = torch.stack(given).to(self.device, torch.float32)
        return self.coarse(torch.where(flow.isfinite().all(dim=1, keepdim=True), flow, 0))

    def coarse(self, flow: Float[Tensor, "batch 2 height width"]) -> Float[Tensor, "batch 2 rows columns"]:
        """Flow at the source's size as updates start from it: averaged over cells of the 1/8 grid, in cells."""
        rows, columns = self.settings.resizing.size(*flow.shape[-2:])
        padding = Padding.for_size(rows, columns, placement=self.settings.placement)
        return F.avg_pool2d(padding.pad(resize_flow(flow, height=rows, width=columns)), 8) / 8

    def encode(self, frames: Sequence[Frame], memory: Memory) -> None:
        """Uploads frames and stores their features in `memory`."""
        if not frames:
            return
        images = torch.cat([self.upload(frame) for frame in frames])
        features = self.model.encode(images)
        for number, frame in enumerate(frames):
            one = slice(number, number + 1)
            grey = None if self.settings.refinement is None else self.grey(frame)
            memory.frames[frame.index] = Encoded(frame.image, grey, images[one], features[one])

    def upload(self, frame: Frame) -> Float[Tensor, "1 3 height width"]:
        """A frame on the device, resized, padded and in [-1, 1]."""
        size = self.settings.resizing.size(*frame.image.shape[:2])
        pixels = resized_on(self.device, frame.image, size)
        return Padding.for_size(*size, placement=self.settings.placement).pad(to_model_range(pixels))

    def grey(self, frame: Frame) -> Float[Tensor, "1 1 rows columns"]:
        """A frame on the device in grey values from 0 to 255, at the size to refine at."""
        return grey_on(self.device, frame.image, self.settings.refined_size(*frame.image.shape[:2]))

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


def greys(frames: Sequence[Encoded]) -> Float[Tensor, "batch 1 rows columns"]:
    """The grey frames as a batch."""
    return torch.cat([frame.grey for frame in frames if frame.grey is not None])


def estimator_for(
    weights: Weights | RAFT, *, device: str, effort: Effort | None = None, settings: Settings | None = None
) -> FlowEstimator:
    """The estimator with these weights on the device of this name; `effort` decides some of the `settings`.

    Raises UsageError for unknown names and invalid options, DeviceError where the device is not available, WeightsError
    where the weights do not fit.
    """
    place = choose_device(device)
    model = load(weights) if isinstance(weights, Weights) else weights
    settings = (effort or Effort()).applied_to(settings or Settings(), place, stated=model.metadata)
    return FlowEstimator(model, device=place, settings=settings)
