"""Scores of estimated flow on a dataset: of each item, each group and all items together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from raft_core.metrics import Average, measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from flowcli.evaluation.datasets import FlowItem
    from raft_core.metrics import FlowMetrics

    Estimator = Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.float32]]
    Record = dict[str, str | int | float | None]

AVERAGING = {
    "epe": "px, the mean of the items' epe, each item counting the same; an item's is the mean over its valid pixels",
    "per_image": "every metric averaged over the items that have it, each item counting the same",
    "per_pixel": "every metric averaged over the valid pixels of all items",
    "below_1, below_3, below_5": "share of pixels with a smaller error in px",
    "outliers": "Fl: share of pixels with an error above 3 px and above 5 % of the true speed",
    "wauc": "weighted area under the curve of inliers at 1/20 to 5 px, of 1",
    "s0_10, s10_40, s40": "epe over pixels of that true speed in px; null where there are none",
    "visible, occluded": "epe over pixels that the second frame shows and hides; null where that is not known",
}


@dataclass(frozen=True)
class ItemScore:
    """The metrics of one item's estimate."""

    name: str
    group: str
    metrics: FlowMetrics

    def record(self) -> Record:
        """The score as JSON values: every metric, and the number of pixels for metrics over a part of them."""
        averages = self.metrics.averages()
        scores = {name: _number(average.value) for name, average in averages.items()}
        counts = {f"{name}_pixels": averages[name].count for name in PARTIAL}
        return {"name": self.name, "group": self.group, **scores, "pixels": self.metrics.epe.count, **counts}


PARTIAL = ("s0_10", "s10_40", "s40", "visible", "occluded")
"""The metrics that count a part of the valid pixels only."""


@dataclass(frozen=True)
class Summary:
    """The metrics of several items: `per_image` averages over items, `per_pixel` over the pixels of all items."""

    items: int
    per_image: Mapping[str, Average]
    per_pixel: FlowMetrics

    @property
    def epe(self) -> float:
        """The mean of the items' endpoint errors, in px."""
        return self.per_image["epe"].value

    def record(self) -> dict[str, object]:
        """The summary as JSON values."""
        images = {
            name: {"value": _number(average.value), "images": average.count} for name, average in self.per_image.items()
        }
        pixels = {
            name: {"value": _number(average.value), "pixels": average.count}
            for name, average in self.per_pixel.averages().items()
        }
        return {"items": self.items, "epe": _number(self.epe), "per_image": images, "per_pixel": pixels}


@dataclass(frozen=True)
class ScoreReport:
    """The scores of all items of one method, with summaries by group and over all."""

    protocol: Mapping[str, object]
    items: tuple[ItemScore, ...]

    @property
    def groups(self) -> dict[str, Summary]:
        """Each group's summary, by name."""
        names = sorted({item.group for item in self.items})
        return {name: summarise([item for item in self.items if item.group == name]) for name in names}

    @property
    def mean(self) -> Summary:
        """The summary of all items."""
        return summarise(self.items)

    def record(self) -> dict[str, object]:
        """The report as JSON values."""
        return {
            "protocol": {**self.protocol, "averaging": AVERAGING},
            "items": [item.record() for item in self.items],
            "groups": {name: summary.record() for name, summary in self.groups.items()},
            "mean": self.mean.record(),
        }


def evaluate(
    items: Iterable[FlowItem], estimate: Estimator, *, protocol: Mapping[str, object] | None = None
) -> ScoreReport:
    """Scores `estimate(first, second) -> flow` (height, width, 2) on every item, one item in memory at a time.

    `protocol` (weights, iterations, ...) is copied into the report. Raises ValueError where there are no items or a
    flow differs in size from its frames.
    """
    scores = tuple(score(item, estimate(item.first, item.second)) for item in items)
    if not scores:
        raise ValueError("there is nothing to evaluate: the dataset has no items")
    return ScoreReport(protocol=dict(protocol or {}), items=scores)


def score(item: FlowItem, flow: NDArray[np.float32]) -> ItemScore:
    """The score of `flow` (height, width, 2) on an item; raises ValueError where its shape is not the item's."""
    if flow.shape != item.flow.shape:
        raise ValueError(f"the flow of {item.name} is {flow.shape} where {item.flow.shape} is expected")
    estimate, ground_truth = (torch.from_numpy(values).permute(2, 0, 1) for values in (flow, item.flow))
    occluded = None if item.occluded is None else torch.from_numpy(item.occluded)
    return ItemScore(item.name, item.group, measure(estimate, ground_truth, torch.from_numpy(item.valid), occluded))


def summarise(items: Sequence[ItemScore]) -> Summary:
    """The summary of some items; an item without the pixels that a metric counts is left out of its mean over items."""
    pooled = items[0].metrics
    for item in items[1:]:
        pooled = pooled + item.metrics
    per_image = {}
    for name in pooled.averages():
        averages = [item.metrics.averages()[name] for item in items]
        values = [average.value for average in averages if average.count]
        per_image[name] = Average(math.fsum(values), len(values))
    return Summary(items=len(items), per_image=per_image, per_pixel=pooled)


def _number(value: float) -> float | None:
    """The value, or None for NaN and infinity, which JSON does not have."""
    return value if math.isfinite(value) else None
