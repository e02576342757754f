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
# WAUC counts inliers at 1/20, 2/20 … 100/20 px, weighted 100, 99 … 1.
WAUC_STEPS, WAUC_STEPS_PER_PIXEL = 100, 20


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
    more than 3 px *and* more than 5 % of the true speed off. `wauc` is the weighted area under the curve of inliers
    from 0 to 5 px, 1 for perfect flow (VIPER, Spring). `s0_10`, `s10_40` and `s40` are the endpoint error over pixels
    whose true speed falls in that band, `visible` and `occluded` over those that the second frame shows and hides.
    """

    epe: Average
    below_1: Average
    below_3: Average
    below_5: Average
    outliers: Average
    wauc: Average
    s0_10: Average
    s10_40: Average
    s40: Average
    visible: Average
    occluded: Average

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
    occluded: Bool[Tensor, "*batch height width"] | None = None,
) -> FlowMetrics:
    """Every metric of a flow over its valid pixels, the pixels of a batch pooled.

    Without `occluded` nothing is averaged for `visible` and `occluded`. Targets outside `valid` may be anything, NaN
    included; a NaN in the flow where it counts makes `epe` NaN.
    """
    error = endpoint_error(flow, target)[valid].double()
    speed = torch.linalg.vector_norm(target, dim=-3)[valid].double()
    everything = torch.ones_like(error, dtype=torch.bool)
    values = {"epe": (error, everything)}
    values |= {f"below_{limit}": ((error < limit).double(), everything) for limit in (1, 3, 5)}
    # Asked in this direction, a NaN is an outlier.
    values["outliers"] = ((~((error <= 3) | (error <= 0.05 * speed))).double(), everything)
    values["wauc"] = (curve_share(error), everything)
    values |= {name: (error, (speed >= low) & (speed < high)) for name, (low, high) in BANDS.items()}
    hidden = torch.zeros_like(everything) if occluded is None else occluded[valid]
    values["visible"] = (error, ~hidden if occluded is not None else hidden)
    values["occluded"] = (error, hidden)
    # One transfer for all: every `.item()` would wait for the device anew.
    totals = torch.stack([value[where].sum() for value, where in values.values()]).tolist()
    counts = torch.stack([where.sum() for _, where in values.values()]).tolist()
    return FlowMetrics(
        **{name: Average(total, count) for name, total, count in zip(values, totals, counts, strict=True)}
    )


def curve_share(error: Float[Tensor, " pixels"]) -> Float[Tensor, " pixels"]:
    """What each error adds to the area under the inlier curve: the weights of all thresholds that it keeps to."""
    first = (error * WAUC_STEPS_PER_PIXEL).ceil().clamp(min=1)
    left = WAUC_STEPS + 1 - first
    # Weights fall by one from step to step, so what is left of them is a triangle.
    share = left * (left + 1) / (WAUC_STEPS * (WAUC_STEPS + 1))
    return torch.where(first <= WAUC_STEPS, share, 0.0)
