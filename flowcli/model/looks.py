"""The looks at pairs of frames that the settings ask for: at half the size, at the full one, and at enlarged frames."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from flowcli.flow.estimate import Estimate
from flowcli.model import first_look, plain
from flowcli.model.batches import frames_of
from flowcli.model.look import Look
from flowcli.model.memory import Memory, carried
from flowcli.model.memory_plan import demand_of
from flowcli.model.resize import Resizing
from flowcli.model.second_look import MOST_UPDATES, blended, enlargement
from raft_core.consistency import find_occluded
from raft_core.grid import resize_flow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch

    from flowcli.flow.estimate import Direction
    from flowcli.media.frames import FramePair
    from flowcli.model.look import CoarseFlow
    from flowcli.model.settings import Settings
    from flowcli.model.variational import Flow
    from raft_core.raft import RAFT

    Flows = Mapping[Direction, Flow]


@dataclass(frozen=True, eq=False)
class Looks:
    """From pairs whose frames are encoded to their flow."""

    model: RAFT
    device: torch.device
    settings: Settings

    @property
    def full(self) -> Look:
        """The look at frames at the size that the settings say."""
        return Look(self.model, self.device, self.settings)

    @property
    def small(self) -> Look:
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

    def extra_bytes(self, height: int, width: int) -> int:
        """The memory of refinement, and of a first and a second look, for one pair of frames of this size."""
        settings = self.settings
        extra = self.refining_bytes(self.full, height, width)
        others = [] if settings.first_look is None else [self.small]
        if (closer := self.closer(height, width)) is not None:
            others.append(closer)
            extra += self.refining_bytes(closer, height, width)
        for look in others:
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

    def at_half_size(self, batch: list[FramePair], memory: Memory, *, on_demand: bool) -> list[Estimate | None]:
        """The flow of those of these pairs for which a first look is enough; None for the others."""
        first, look = self.settings.first_look, self.small
        assert first is not None  # noqa: S101 - called with a first look only
        flows: dict[Direction, Flow] = {}
        calm, taken = [True] * len(batch), [0] * len(batch)
        for way in look.ways(batch, memory.smaller, on_demand=on_demand, start=self.starts(look, batch, memory)):
            update, counts, converged = first_look.first_updates(look.updates(way))
            calm = [one and other for one, other in zip(calm, converged, strict=True)]
            if any(calm):
                flow = look.refined(update, way)
                explained = first_look.explains(flow, *way.greys)
                calm = [one and other for one, other in zip(calm, explained, strict=True)]
            if not any(calm):
                return [None] * len(batch)
            rows, columns = self.settings.refined_size(way.height, way.width)
            one, other = (self.full.grey_of(end) for end in (way.firsts, way.seconds))
            flow = first.full.apply(one, other, resize_flow(flow, height=rows, width=columns))
            flows[way.direction] = resize_flow(flow, height=way.height, width=way.width)
            taken = [max(both) for both in zip(taken, counts, strict=True)]
        estimates = self.estimates(batch, flows, taken, warm=self.is_warm(memory))
        return [
            replace(estimate, half_size=True) if enough else None
            for estimate, enough in zip(estimates, calm, strict=True)
        ]

    def at_full_size(self, batch: list[FramePair], memory: Memory, *, on_demand: bool) -> list[Estimate]:
        """The flow of consecutive pairs, in one batch of tensors."""
        look = self.full
        flows: dict[Direction, Flow] = {}
        taken = [0] * len(batch)
        for way in look.ways(batch, memory, on_demand=on_demand, start=self.starts(look, batch, memory)):
            update, counts = look.update(way)
            if self.settings.warm_start:
                memory.flows[way.direction] = update.flow[-1:].clone()
            flows[way.direction] = resize_flow(look.refined(update, way), height=way.height, width=way.width)
            taken = [max(both) for both in zip(taken, counts, strict=True)]
        if self.settings.second_look:
            flows = self.enlarged(batch, flows)
        return self.estimates(batch, flows, taken, warm=self.is_warm(memory))

    def enlarged(self, batch: list[FramePair], flows: Flows) -> dict[Direction, Flow]:
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

    def is_warm(self, memory: Memory) -> bool:
        """Whether pairs start from an earlier pair's flow."""
        return self.settings.warm_start and memory.last is not None

    def starts(self, look: Look, batch: list[FramePair], memory: Memory) -> Callable[[Direction], CoarseFlow | None]:
        """The flow from which a look at these pairs starts, by direction: what they are given, or what was before."""
        given = look.given(batch)
        offsets = memory.offsets_to(batch) if self.is_warm(memory) else []

        def start(direction: Direction) -> CoarseFlow | None:
            if given is not None and direction in ("forward", self.settings.direction):
                return given
            sign = 1 if direction == "forward" else -1
            before = carried(memory.flows.get(direction), [sign * offset for offset in offsets])
            return None if before is None else look.fitted(before, *batch[0].first.image.shape[:2])

        return start

    def estimates(self, batch: list[FramePair], flows: Flows, taken: list[int], *, warm: bool) -> list[Estimate]:
        """The estimates of pairs with these flows, which follow the camera in plain regions if they are refined."""
        if self.settings.refinement is not None:
            flows = {way: plain.simplified(batch, flow, backward=way == "backward") for way, flow in flows.items()}
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
