"""How good a flow is: endpoint error, outliers and bands of speed, each with the count to average it by."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

# Sintel's bands of true speed in pixels per pair: [from, to).
BANDS: dict[str, tuple[float, float]] = {"s0_10": (0.0, 10.0), "s10_40": (10.0, 40.0), "s40": (40.0, float("inf"))}


@dataclass(frozen=True)
class Average:
    """A sum and the number of pixels it was taken over; sums and counts add up, so averages can be pooled."""

    total: float
    count: int

    @property
    def value(self) -> float:
        """The average itself; NaN where there was nothing to average."""
        return self.total / self.count if self.count else float("nan")

    def __add__(self, other: Average) -> Average:
        return Average(self.total + other.total, self.count + other.count)


@dataclass(frozen=True)
class FlowMetrics:
    """What one flow, or several pooled with `+`, scores over its valid pixels.

    `epe` is the mean endpoint error in pixels. `below_1`, `below_3` and `below_5` are the shares of pixels with a
    smaller error (Spring's "1px" is the share above: `1 − value`). `outliers` is KITTI's Fl, the share of pixels
    more than 3 px *and* more than 5 % of the true speed off. `s0_10`, `s10_40` and `s40` are the endpoint error
    over pixels whose true speed falls in that band, in pixels.
    """

    epe: Average
    below_1: Average
    below_3: Average
    below_5: Average
    outliers: Average
    s0_10: Average
    s10_40: Average
    s40: Average

    def __add__(self, other: FlowMetrics) -> FlowMetrics:
        mine, theirs = self.averages(), other.averages()
        return FlowMetrics(**{name: average + theirs[name] for name, average in mine.items()})

    def averages(self) -> dict[str, Average]:
        """Every metric by its name, in the order they are declared."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def endpoint_error(
    flow: Float[Tensor, "*batch 2 height width"], target: Float[Tensor, "*batch 2 height width"]
) -> Float[Tensor, "*batch height width"]:
    """The distance between where the flow and the target say each pixel goes, in pixels."""
    return (flow - target).square().sum(dim=-3).sqrt()


def measure(
    flow: Float[Tensor, "*batch 2 height width"],
    target: Float[Tensor, "*batch 2 height width"],
    valid: Bool[Tensor, "*batch height width"],
) -> FlowMetrics:
    """Every metric of a flow over its valid pixels, the pixels of a batch pooled.

    Targets outside `valid` may be anything, NaN included; a NaN in the flow where it counts makes `epe` NaN.
    """
    error = endpoint_error(flow, target)[valid].double()
    speed = torch.linalg.vector_norm(target, dim=-3)[valid].double()
    everything = torch.ones_like(error, dtype=torch.bool)
    values = {"epe": (error, everything)}
    values |= {f"below_{limit}": ((error < limit).double(), everything) for limit in (1, 3, 5)}
    values["outliers"] = (((error > 3) & (error > 0.05 * speed)).double(), everything)
    values |= {name: (error, (speed >= low) & (speed < high)) for name, (low, high) in BANDS.items()}
    # One transfer for all: every `.item()` would wait for the device anew.
    totals = torch.stack([value[where].sum() for value, where in values.values()]).tolist()
    counts = torch.stack([where.sum() for _, where in values.values()]).tolist()
    return FlowMetrics(
        **{name: Average(total, count) for name, total, count in zip(values, totals, counts, strict=True)}
    )
