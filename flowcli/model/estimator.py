"""Computes flow for pairs of frames, with batches, warm start and shared features."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

import torch

from flowcli.flow.estimate import Estimate
from flowcli.media.frames import Frame, FramePair
from flowcli.model import first_look, plain
from flowcli.model.batches import Plans, frames_of, in_batches
from flowcli.model.device import autocast, choose_device, free_bytes
from flowcli.model.look import Look
from flowcli.model.memory import Memory, carried
from flowcli.model.memory_plan import MOST_AT_ONCE, Plan, demand_of, make_cpu_plan, make_plan
from flowcli.model.parallel import on_cores
from flowcli.model.quality import Effort
from flowcli.model.recovery import Recovery
from flowcli.model.resize import Resizing
from flowcli.model.second_look import MOST_UPDATES, blended, enlargement
from flowcli.model.settings import Settings
from flowcli.model.still import is_still, still_estimate
from flowcli.model.weights import Weights, load
from raft_core.consistency import find_occluded
from raft_core.grid import resize_flow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import TypeVar

    import numpy as np
    from numpy.typing import NDArray

    from flowcli.flow.estimate import Direction
    from flowcli.model.look import Cells
    from flowcli.model.memory import Encoded
    from flowcli.model.variational import Flow, Plane
    from raft_core.raft import RAFT

    Value = TypeVar("Value")
    Result = TypeVar("Result")


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

        Each frame is encoded once for all its pairs. With a first look, no pair for which half the size is enough is
        computed at the full one. With warm start, pair i of a batch (from 0) starts from the last flow of the previous
        batch, carried forward i + 1 times; a pair that does not continue the previous one starts cold. `memory`
        continues an earlier call and is updated for the next. A batch that does not fit into memory is computed in
        parts, one that is not finite in half precision again in float32; `notes` says so. Flow that is refined is zero
        where both frames are the same to the bit or up to noise, and follows the camera in plain regions, as
        `flowcli.model.plain` says. Raises DeviceError where a single pair does not fit.
        """
        memory = memory or Memory()
        plans = Plans(self.plan)

        def compute(batch: list[FramePair], plan: Plan, precision: torch.dtype) -> list[Estimate]:
            # Left before estimates are yielded: the caller's code must not run in inference mode.
            with torch.inference_mode(), autocast(self.device, precision):
                return self.estimate_batch(batch, memory, plan)

        recovery = Recovery(compute, forget=memory.forget, precision=self.settings.precision, notes=self.notes)
        for batch in in_batches(pairs, size=lambda pair: plans.of(pair).batch):
            yield from recovery.estimate(batch, plans.of(batch[0]))

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

    def at_once(self) -> int | None:
        """How many pairs a CPU may compute at the same time; None for those that start from each other's flow."""
        together = torch.get_num_threads() // (self.settings.threads_each or 1)
        return None if self.settings.warm_start else max(1, min(together, MOST_AT_ONCE))

    def threads_each(self, plan: Plan) -> int | None:
        """How many threads compute one pair on a CPU; None elsewhere."""
        return self.settings.threads_each or (plan.at_once and torch.get_num_threads() // plan.at_once)

    def extra_bytes(self, height: int, width: int) -> int:
        """The memory of refinement, and of a first and a second look, for one pair."""
        settings = self.settings
        extra = self.refining_bytes(self.look, height, width)
        looks = [] if settings.first_look is None else [self.smaller]
        if (closer := self.closer(height, width)) is not None:
            looks.append(closer)
            extra += self.refining_bytes(closer, height, width)
        for look in looks:
            size = look.settings.resizing.size(height, width)
            both = settings.direction == "both"
            extra += demand_of(*size, config=self.model.config, both=both, on_demand=True).of(1)
        return extra

    def refining_bytes(self, look: Look, height: int, width: int) -> int:
        """The memory of refining the flow of a look at frames of this size, and of what follows."""
        refinement, size = look.settings.refinement, look.settings.refined_size(height, width)
        if refinement is None:
            return 0
        return max(refinement.bytes(math.prod(size), self.device), plain.BYTES * height * width)

    def computed_size(self, width: int, height: int) -> tuple[int, int]:
        """The width and height at which frames of this size are computed, including padding."""
        rows, columns = self.look.padded_size(height, width)
        return columns, rows

    @property
    def look(self) -> Look:
        """The look at frames at the size that the settings say."""
        return Look(self.model, self.device, self.settings)

    @property
    def smaller(self) -> Look:
        """The first look, at half of that size."""
        return Look(self.model, self.device, self.settings.of_first_look())

    def closer(self, height: int, width: int) -> Look | None:
        """The second look at frames of this size; None where there is none."""
        settings = self.settings
        factor = enlargement(*settings.resizing.size(height, width))
        if factor is None or not settings.second_look:
            return None
        resizing = Resizing(scale=factor * settings.resizing.factor(height, width))
        iterations = min(MOST_UPDATES, settings.iterations)
        return Look(self.model, self.device, replace(settings, resizing=resizing, iterations=iterations))

    def estimate_batch(self, batch: list[FramePair], memory: Memory, plan: Plan) -> list[Estimate]:
        """The flow of consecutive pairs; reads and updates `memory`."""
        if not batch[0].continues:
            memory.forget_flow()
        still = self.stand_still(batch, plan)
        moving = [pair for pair, stands in zip(batch, still, strict=True) if not stands]
        estimates = iter(self.estimate_moving(moving, memory, plan) if moving else [])
        return [
            still_estimate(pair, settings=self.settings, device=self.device) if stands else next(estimates)
            for pair, stands in zip(batch, still, strict=True)
        ]

    def stand_still(self, batch: list[FramePair], plan: Plan) -> list[bool]:
        """Whether each pair is still, told in float32; never with weights whose flow is not refined.

        Published weights give still pairs the flow that RAFT gives them, which is not quite zero.
        """
        if self.settings.refinement is None:
            return [False] * len(batch)
        with autocast(self.device, torch.float32):
            return self.spread(lambda part: [is_still(pair, self.device) for pair in part], batch, plan)

    def estimate_moving(self, batch: list[FramePair], memory: Memory, plan: Plan) -> list[Estimate]:
        """The flow of pairs that are not still."""
        memory.keep(batch)
        seen: list[Estimate | None] = [None] * len(batch)
        if self.settings.first_look is not None:
            self.encode(self.smaller, batch, memory.smaller, plan)
            seen = self.spread(lambda part: self.look_first(part, memory, plan), batch, plan)
        rest = [pair for pair, estimate in zip(batch, seen, strict=True) if estimate is None]
        self.encode(self.look, rest, memory, plan)
        others = iter(self.spread(lambda part: self.estimate_together(part, memory, plan), rest, plan))
        estimates = [next(others) if estimate is None else estimate for estimate in seen]
        memory.last = (batch[-1].first.index, batch[-1].second.index)
        if self.settings.warm_start and self.settings.refinement is not None:
            ends = estimates[-1].forward, estimates[-1].backward
            memory.forward, memory.backward = (None if end is None else self.look.coarse(end[None]) for end in ends)
        return estimates

    def spread(self, compute: Callable[[list[Value]], list[Result]], values: list[Value], plan: Plan) -> list[Result]:
        """`compute` of all values together, or on a CPU of each alone, as many at the same time as planned."""
        threads_each = self.threads_each(plan)
        if plan.at_once is None or threads_each is None:
            return compute(values) if values else []
        alone = [[value] for value in values]
        parts = on_cores(compute, alone, at_once=plan.at_once, threads_each=threads_each)
        return [result for part in parts for result in part]

    def encode(self, look: Look, batch: list[FramePair], memory: Memory, plan: Plan) -> None:
        """Encodes the frames of these pairs that `memory` lacks."""
        missing = [frame for frame in frames_of(batch) if not memory.holds(frame)]
        self.spread(partial(look.encode, memory=memory), missing, plan)

    def look_first(self, batch: list[FramePair], memory: Memory, plan: Plan) -> list[Estimate | None]:
        """The flow of those of these pairs, encoded for a first look, for which that is enough; None for the others."""
        first, look = self.settings.first_look, self.smaller
        assert first is not None  # noqa: S101 - called with a first look only
        flows: dict[Direction, Flow] = {}
        calm, taken = [True] * len(batch), [0] * len(batch)
        for way in look.ways(batch, memory.smaller, on_demand=plan.on_demand, start=self.starts(look, batch, memory)):
            update, counts, settled = first_look.settle(look.updates(way))
            calm = [one and other for one, other in zip(calm, settled, strict=True)]
            if any(calm):
                flow = look.refined(update, way)
                explained = first_look.explains(flow, *way.greys)
                calm = [one and other for one, other in zip(calm, explained, strict=True)]
            if not any(calm):
                return [None] * len(batch)
            rows, columns = self.settings.refined_size(way.height, way.width)
            flow = first.full.apply(
                self.greys(way.firsts), self.greys(way.seconds), resize_flow(flow, height=rows, width=columns)
            )
            flows[way.direction] = resize_flow(flow, height=way.height, width=way.width)
            taken = [max(both) for both in zip(taken, counts, strict=True)]
        estimates = self.finished(batch, flows, taken, warm=self.is_warm(memory))
        return [
            replace(estimate, half_size=True) if enough else None
            for estimate, enough in zip(estimates, calm, strict=True)
        ]

    def greys(self, frames: Sequence[Encoded]) -> Plane:
        """The frames in grey values, at the size to refine at."""
        return torch.cat([self.look.grey(frame.source) for frame in frames])

    def estimate_together(self, batch: list[FramePair], memory: Memory, plan: Plan) -> list[Estimate]:
        """The flow of consecutive pairs whose frames are encoded, in one batch of tensors."""
        look = self.look
        flows: dict[Direction, Flow] = {}
        taken = [0] * len(batch)
        for way in look.ways(batch, memory, on_demand=plan.on_demand, start=self.starts(look, batch, memory)):
            update, counts = look.update(way)
            if self.settings.warm_start:
                setattr(memory, way.direction, update.flow[-1:].clone())
            flows[way.direction] = resize_flow(look.refined(update, way), height=way.height, width=way.width)
            taken = [max(both) for both in zip(taken, counts, strict=True)]
        if self.settings.second_look:
            flows = self.look_again(batch, flows)
        return self.finished(batch, flows, taken, warm=self.is_warm(memory))

    def is_warm(self, memory: Memory) -> bool:
        """Whether pairs start from an earlier pair's flow."""
        return self.settings.warm_start and memory.last is not None

    def starts(self, look: Look, batch: list[FramePair], memory: Memory) -> Callable[[Direction], Cells | None]:
        """The flow from which a look at these pairs starts, by direction: what they are given, or what was before."""
        given = look.given(batch)
        offsets = memory.offsets_to(batch) if self.is_warm(memory) else []

        def start(direction: Direction) -> Cells | None:
            if given is not None and direction in ("forward", self.settings.direction):
                return given
            last, sign = (memory.forward, 1) if direction == "forward" else (memory.backward, -1)
            before = carried(last, [sign * offset for offset in offsets])
            return None if before is None else look.fitted(before, *batch[0].first.image.shape[:2])

        return start

    def look_again(self, batch: list[FramePair], flows: Mapping[Direction, Flow]) -> dict[Direction, Flow]:
        """The flows (batch, 2, height, width) after a second look, where frames of this size get one."""
        look = self.closer(*batch[0].first.image.shape[:2])
        if look is None:
            return dict(flows)
        memory = Memory()
        look.encode(frames_of(batch), memory)
        blends: dict[Direction, Flow] = {}
        for way in look.ways(batch, memory, on_demand=True, start=lambda direction: look.coarse(flows[direction])):
            closer = resize_flow(look.refined(look.update(way)[0], way), height=way.height, width=way.width)
            blends[way.direction] = blended(flows[way.direction], closer)
        return blends

    def finished(
        self, batch: list[FramePair], flows: Mapping[Direction, Flow], taken: list[int], *, warm: bool
    ) -> list[Estimate]:
        """The estimates of pairs with these flows, which follow the camera in plain regions if they are refined."""
        if self.settings.refinement is not None:
            flows = {way: plain.settled(batch, flow, backward=way == "backward") for way, flow in flows.items()}
        forward, backward, occluded = flows.get("forward"), flows.get("backward"), None
        if forward is not None and backward is not None:
            limits = self.settings.occlusion
            occluded = find_occluded(forward, backward, relative=limits.relative, absolute=limits.absolute)
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
