"""Computes flow for pairs of frames, with batches, warm start and shared features."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

import torch

from flowcli.flow.estimate import Estimate
from flowcli.media.frames import Frame, FramePair
from flowcli.model.batches import Plans, frames_of, in_batches
from flowcli.model.device import autocast, choose_device, free_bytes
from flowcli.model.looks import Looks
from flowcli.model.memory import Memory
from flowcli.model.memory_plan import MOST_AT_ONCE, Plan, make_cpu_plan, make_plan
from flowcli.model.parallel import on_cores
from flowcli.model.quality import Effort
from flowcli.model.recovery import Recovery
from flowcli.model.settings import Settings
from flowcli.model.still import is_still, still_estimate
from flowcli.model.weights import Weights, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeVar

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from flowcli.flow.estimate import Direction
    from flowcli.model.look import Look
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
            extra=self.looks.extra_bytes(height, width),
        )

    def at_once(self) -> int | None:
        """How many pairs a CPU may compute at the same time; None for those that start from each other's flow."""
        together = torch.get_num_threads() // (self.settings.threads_each or 1)
        return None if self.settings.warm_start else max(1, min(together, MOST_AT_ONCE))

    def threads_each(self, plan: Plan) -> int | None:
        """How many threads compute one pair on a CPU; None elsewhere."""
        return self.settings.threads_each or (plan.at_once and torch.get_num_threads() // plan.at_once)

    def computed_size(self, width: int, height: int) -> tuple[int, int]:
        """The width and height at which frames of this size are computed, including padding."""
        rows, columns = self.looks.full.padded_size(height, width)
        return columns, rows

    @property
    def looks(self) -> Looks:
        """The looks at pairs that the settings ask for."""
        return Looks(self.model, self.device, self.settings)

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
        looks = self.looks
        at_half_size = partial(looks.at_half_size, memory=memory, on_demand=plan.on_demand)
        at_full_size = partial(looks.at_full_size, memory=memory, on_demand=plan.on_demand)
        seen: list[Estimate | None] = [None] * len(batch)
        if self.settings.first_look is not None:
            self.encode(looks.small, batch, memory.smaller, plan)
            seen = self.spread(at_half_size, batch, plan)
        rest = [pair for pair, estimate in zip(batch, seen, strict=True) if estimate is None]
        self.encode(looks.full, rest, memory, plan)
        others = iter(self.spread(at_full_size, rest, plan))
        estimates = [next(others) if estimate is None else estimate for estimate in seen]
        memory.last = (batch[-1].first.index, batch[-1].second.index)
        if self.settings.warm_start and self.settings.refinement is not None:
            ends: dict[Direction, Tensor | None] = {
                "forward": estimates[-1].forward,
                "backward": estimates[-1].backward,
            }
            memory.flows = {way: looks.full.coarse(flow[None]) for way, flow in ends.items() if flow is not None}
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
