"""Recovery from running out of memory, and from flow that is not finite."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from flowcli.errors import DeviceError
from flowcli.system.refusals import OUT_OF_MEMORY

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowcli.flow.estimate import Estimate
    from flowcli.media.frames import FramePair
    from flowcli.model.memory_plan import Plan

    Compute = Callable[[list[FramePair], Plan, torch.dtype], list[Estimate]]


class Recovery:
    """Computes batches; repeats those that fail with fewer pairs, on-demand correlation or float32, and notes it.

    `forget` clears the state that `compute` keeps between batches. A plan that ran out of memory is not tried again.
    """

    def __init__(
        self, compute: Compute, *, forget: Callable[[], None], precision: torch.dtype, notes: list[str]
    ) -> None:
        self._compute = compute
        self._forget = forget
        self._precision = precision
        self._notes = notes
        self._limits: dict[Plan, Plan] = {}

    def estimate(self, batch: list[FramePair], plan: Plan) -> list[Estimate]:
        """The flow of a batch; raises DeviceError where a single pair does not fit into memory."""
        while plan in self._limits:
            plan = self._limits[plan]
        estimates: list[Estimate] = []
        for start in range(0, len(batch), plan.batch):
            part = batch[start : start + plan.batch]
            try:
                estimates += self._finite(part, plan)
                continue
            except (RuntimeError, MemoryError) as error:
                if not ran_out_of_memory(error):
                    raise
            # After the error is gone, whose traceback holds the tensors of the computation that failed.
            self._limits[plan] = self._smaller(plan, part)
            return estimates + self.estimate(batch[start:], plan)
        return estimates

    def _finite(self, batch: list[FramePair], plan: Plan) -> list[Estimate]:
        estimates = self._compute(batch, plan, self._precision)
        if all(estimate.finite for estimate in estimates):
            return estimates
        if self._precision != torch.float32:
            self._forget()
            estimates = self._compute(batch, plan, torch.float32)
            self._note("some pairs overflowed in half precision and were computed in float32")
        if not all(estimate.finite for estimate in estimates):
            self._forget()
        return estimates

    def _smaller(self, plan: Plan, batch: list[FramePair]) -> Plan:
        self._forget()
        torch.cuda.empty_cache()
        if len(batch) > 1:
            pairs = len(batch) // 2
            smaller = replace(plan, batch=pairs, at_once=plan.at_once and min(plan.at_once, pairs))
        elif not plan.on_demand:
            smaller = replace(plan, batch=1, on_demand=True)
        else:
            height, width = batch[0].first.image.shape[:2]
            raise DeviceError(
                f"frames of {width} x {height} do not fit into memory",
                hint="use --max-side to compute at a smaller size",
            )
        self._note(
            f"memory ran out: continued with {smaller.batch} pair{'s' * (smaller.batch != 1)} at once"
            + ", correlation on demand" * (smaller.on_demand != plan.on_demand)
        )
        return smaller

    def _note(self, text: str) -> None:
        if text not in self._notes:
            self._notes.append(text)


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch, on any device, or of Python is a lack of memory."""
    text = str(error)
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or any(words in text for words in OUT_OF_MEMORY)
