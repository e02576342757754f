"""Metrics of flow against ground truth: end-point error, outliers, WAUC and bands of speed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import torch

from raft_core.precision import wide

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

# Sintel's bands of true speed in pixels per pair: [from, to).
BANDS: dict[str, tuple[float, float]] = {"s0_10": (0.0, 10.0), "s10_40": (10.0, 40.0), "s40": (40.0, float("inf"))}
# WAUC counts inliers at 1/20, 2/20 … 100/20 px, weighted 100, 99 … 1.
WAUC_THRESHOLDS, WAUC_THRESHOLDS_PER_PIXEL = 100, 20


@dataclass(frozen=True)
class Average:
    """A mean, kept as a sum and its number of pixels so that means can be pooled with `+`."""

    total: float
    count: int

    @property
    def value(self) -> float:
        """The mean; NaN over no pixels."""
        return self.total / self.count if self.count else float("nan")

    def __add__(self, other: Average) -> Average:
        return Average(self.total + other.total, self.count + other.count)


@dataclass(frozen=True)
class FlowMetrics:
    """The metrics of one flow, or of several pooled with `+`, over its valid pixels.

    `epe` is the mean end-point error in pixels. `below_1`, `below_3` and `below_5` are the fractions of pixels with a
    smaller error (Spring's "1px" is the fraction above: `1 − value`). `outliers` is KITTI's Fl, the fraction of pixels
    with an error above 3 px *and* above 5 % of the true speed. `wauc` is the weighted area under the curve of inliers
    from 0 to 5 px, 1 for perfect flow (VIPER, Spring). `s0_10`, `s10_40` and `s40` are the EPE over pixels whose true
    speed falls in that band, `visible` and `occluded` over those that the second frame shows and hides.
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
        """Every metric by its name, in order of declaration."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def endpoint_error(
    flow: Float[Tensor, "*batch 2 height width"], target: Float[Tensor, "*batch 2 height width"]
) -> Float[Tensor, "*batch height width"]:
    """The length of the difference of flow and target at every pixel, in pixels."""
    return (wide(flow) - wide(target)).square().sum(dim=-3).sqrt()


def measure(
    flow: Float[Tensor, "*batch 2 height width"],
    target: Float[Tensor, "*batch 2 height width"],
    valid: Bool[Tensor, "*batch height width"],
    occluded: Bool[Tensor, "*batch height width"] | None = None,
) -> FlowMetrics:
    """Every metric of a flow over its valid pixels; the pixels of a batch are pooled.

    Without `occluded`, the metrics `visible` and `occluded` have no pixels. Targets outside `valid` may be NaN; a NaN
    in the flow at a valid pixel makes `epe` NaN.
    """
    error = endpoint_error(flow, target)[valid].double()
    speed = torch.linalg.vector_norm(wide(target), dim=-3)[valid].double()
    everything = torch.ones_like(error, dtype=torch.bool)
    values = {"epe": (error, everything)}
    values |= {f"below_{limit}": ((error < limit).double(), everything) for limit in (1, 3, 5)}
    # Negated, so that NaN is an outlier.
    values["outliers"] = ((~((error <= 3) | (error <= 0.05 * speed))).double(), everything)
    values["wauc"] = (curve_share(error), everything)
    values |= {name: (error, (speed >= low) & (speed < high)) for name, (low, high) in BANDS.items()}
    hidden = torch.zeros_like(everything) if occluded is None else occluded[valid]
    values["visible"] = (error, ~hidden if occluded is not None else hidden)
    values["occluded"] = (error, hidden)
    # One transfer for all: each `.item()` would synchronise with the device.
    totals = torch.stack([value[where].sum() for value, where in values.values()]).tolist()
    counts = torch.stack([where.sum() for _, where in values.values()]).tolist()
    return FlowMetrics(
        **{name: Average(total, count) for name, total, count in zip(values, totals, counts, strict=True)}
    )


def curve_share(error: Float[Tensor, " pixels"]) -> Float[Tensor, " pixels"]:
    """Each error's WAUC: the weights of all thresholds that it does not exceed, of a total of 1."""
    first = (error * WAUC_THRESHOLDS_PER_PIXEL).ceil().clamp(min=1)
    left = WAUC_THRESHOLDS + 1 - first
    # The last weights are left, left - 1, …, 1, whose sum is left (left + 1) / 2.
    area = left * (left + 1) / (WAUC_THRESHOLDS * (WAUC_THRESHOLDS + 1))
    return torch.where(first <= WAUC_THRESHOLDS, area, 0.0)
