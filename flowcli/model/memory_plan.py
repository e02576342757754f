"""Estimates the memory of computing flow, and chooses batch and correlation by it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowcli.errors import DeviceError, UsageError

if TYPE_CHECKING:
    from raft_core.config import RaftConfig

MOST_PAIRS = 16
"""The largest batch of tensors."""
MOST_AT_ONCE = 8
BYTES_AT_ONCE = 2 << 30
"""The memory, at most, of several pairs that a CPU computes at the same time."""
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


@dataclass(frozen=True)
class Plan:
    """How frames of one size are computed: pairs per batch, whether correlation is on demand, and the memory.

    On a CPU, `at_once` pairs of a batch are computed at the same time, each by itself; elsewhere, and where pairs start
    from each other's flow, it is None: a batch of pairs is one of tensors.
    """

    batch: int
    on_demand: bool
    bytes: int
    at_once: int | None = None


@dataclass(frozen=True)
class Demand:
    """The memory of computing flow, in bytes: `fixed` once, and `each` for every pair that is computed."""

    fixed: int
    each: int

    def of(self, pairs: int) -> int:
        """The bytes of a batch of so many pairs."""
        return self.fixed + pairs * self.each


def make_plan(
    height: int,
    width: int,
    *,
    config: RaftConfig,
    both: bool,
    budget: int | None,
    batch: int | None,
    on_demand: bool | None = None,
    extra: int = 0,
) -> Plan:
    """The fastest plan within `budget` bytes; `batch` and `on_demand` are kept unless they are None.

    The volume of all pairs is preferred to a larger batch, of at most MOST_PAIRS pairs. `extra` is memory that each
    pair takes besides. Raises DeviceError if nothing fits.
    """
    for choice in (False, True) if on_demand is None else (on_demand,):
        plain = demand_of(height, width, config=config, both=both, on_demand=choice)
        demand = Demand(fixed=plain.fixed, each=plain.each + extra)
        room = MOST_PAIRS if budget is None else (budget - demand.fixed) // demand.each
        pairs = min(MOST_PAIRS, room) if batch is None else batch
        if 1 <= pairs <= room or budget is None:
            return Plan(pairs, choice, demand.of(pairs))
    raise too_large(height, width, bytes_needed=demand.of(batch or 1), budget=budget or 0, batch=batch or 1)


def make_cpu_plan(
    height: int,
    width: int,
    *,
    config: RaftConfig,
    both: bool,
    budget: int | None,
    batch: int | None,
    on_demand: bool | None = None,
    at_once: int | None = 1,
    extra: int = 0,
) -> Plan:
    """The same for a CPU, which computes up to `at_once` pairs at the same time, in BYTES_AT_ONCE if they are several.

    Where `at_once` is None, the batch is one of tensors, with as many pairs as fit. Correlation is on demand: the
    volume takes longer to compute than what a few updates look up.
    """
    on_demand = on_demand is not False
    plain = demand_of(height, width, config=config, both=both, on_demand=on_demand)
    # What encoding takes is free again when the flow is refined.
    demand = Demand(fixed=0, each=plain.each + max(plain.fixed, extra))
    if budget is not None and demand.each > budget:
        raise too_large(height, width, bytes_needed=demand.each, budget=budget, batch=1)
    if at_once is None:
        pairs = batch or 1
        pairs = pairs if budget is None else min(pairs, budget // demand.each)
        return Plan(pairs, on_demand, demand.of(pairs))
    room = min(BYTES_AT_ONCE, BYTES_AT_ONCE if budget is None else budget) // demand.each
    together = max(1, min(at_once, room, batch or at_once))
    # More pairs than are computed at the same time, so that none waits long for a slower one.
    pairs = batch or (2 * together if together > 1 else 1)
    return Plan(pairs, on_demand, demand.of(together), together)


def too_large(height: int, width: int, *, bytes_needed: int, budget: int, batch: int) -> DeviceError:
    """The error for frames that do not fit into memory."""
    return DeviceError(
        f"computing at {width} x {height} takes {amount(bytes_needed)}, and {amount(budget)} may be used",
        hint="use --max-side to compute at a smaller size" if batch == 1 else "use a smaller --batch",
    )


def demand_of(height: int, width: int, *, config: RaftConfig, both: bool, on_demand: bool) -> Demand:
    """The memory for frames of this size; its constants were measured as peak memory (tests/benchmarks)."""
    rows, columns = (max(16, math.ceil(side / 8)) for side in (height, width))
    cells = rows * columns
    # The first stage's activations at half resolution, and the tensors of an update on the 1/8 grid.
    encoder = 4 * 16 * cells * config.encoder_widths[0] * 4
    update = 4 * cells * (4 * config.correlation_channels + 12 * config.hidden_channels + 4 * config.feature_channels)
    images = 64 * cells * 3 * 4 * 6
    if on_demand:
        # Imports torch, which `flowcli doctor` does without.
        from raft_core.on_demand import kept_bytes  # noqa: PLC0415

        correlation = 4 * cells * config.feature_channels * 4 + (1 << 27)
        correlation += kept_bytes(cells, config.correlation_levels)
    else:
        correlation = 4 * cells * cells * 4 // 3 * (2 if both else 1)
    return Demand(fixed=encoder, each=update + images + correlation)


def parse_size(text: str) -> int:
    """Bytes from `800M`, `4G` or a plain number; raises UsageError for anything else."""
    match = re.fullmatch(r"\s*(\d{1,15}(?:\.\d{1,15})?)\s*([KMGT]?)(?:i?B)?\s*", text, re.IGNORECASE)
    size = int(float(match[1]) * UNITS[match[2].upper()]) if match else 0
    if not size:
        raise UsageError(f"{text!r} is not an amount of memory", hint="write it like 800M or 4G")
    return size


def amount(size: int) -> str:
    """Bytes as text, in GiB or MiB."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"
