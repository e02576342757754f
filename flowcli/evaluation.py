"""How well flow is estimated over a dataset: each item, each group and all together, averaged as the report says."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from raft_core.metrics import measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from flowcli.datasets import FlowItem
    from raft_core.metrics import FlowMetrics

    Estimator = Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.float32]]
    Record = dict[str, str | int | float | None]

AVERAGING = {
    "epe": "px, mean over valid pixels; groups and mean: the mean of the items' epe, each item counting the same",
    "epe_pooled": "px, mean over the valid pixels of all items",
    "below_1, below_3, below_5": "share of pixels with a smaller error in px, pixels of all items pooled",
    "outliers": "Fl: share of pixels with an error above 3 px and above 5 % of the true speed, pooled",
    "s0_10, s10_40, s40": "epe over pixels of that true speed in px, pooled; null where there are none",
}


@dataclass(frozen=True)
class ItemScore:
    """What the estimate of one item scored."""

    name: str
    group: str
    metrics: FlowMetrics

    def record(self) -> Record:
        """The item as JSON."""
        scores = {name: _number(average.value) for name, average in self.metrics.averages().items()}
        return {"name": self.name, "group": self.group, **scores, "pixels": self.metrics.epe.count}


@dataclass(frozen=True)
class Summary:
    """Several items together: `epe` averages the items, `pooled` their pixels."""

    items: int
    epe: float
    pooled: FlowMetrics

    def record(self) -> Record:
        """The summary as JSON."""
        pooled = {name: _number(average.value) for name, average in self.pooled.averages().items()}
        pooled_epe = pooled.pop("epe")
        return {"items": self.items, "epe": _number(self.epe), "epe_pooled": pooled_epe, **pooled}


@dataclass(frozen=True)
class Report:
    """Every item's score, and what they come to by group and altogether."""

    protocol: Mapping[str, object]
    items: tuple[ItemScore, ...]

    @property
    def groups(self) -> dict[str, Summary]:
        """Each group's summary, by name."""
        names = sorted({item.group for item in self.items})
        return {name: summarise([item for item in self.items if item.group == name]) for name in names}

    @property
    def mean(self) -> Summary:
        """All items together, whatever their group."""
        return summarise(self.items)

    def record(self) -> dict[str, object]:
        """The report as `flowcli eval --json` prints it."""
        return {
            "protocol": {**self.protocol, "averaging": AVERAGING},
            "items": [item.record() for item in self.items],
            "groups": {name: summary.record() for name, summary in self.groups.items()},
            "mean": self.mean.record(),
        }


def evaluate(items: Iterable[FlowItem], estimate: Estimator, *, protocol: Mapping[str, object] | None = None) -> Report:
    """Scores `estimate(first, second) -> flow` (height, width, 2) on every item, one in memory at a time.

    `protocol` says how the estimates were made (weights, iterations, ...) and is handed on in the report. Raises
    `ValueError` where there are no items or a flow has another size than its frames.
    """
    scores = tuple(_score(item, estimate(item.first, item.second)) for item in items)
    if not scores:
        raise ValueError("there is nothing to evaluate: the dataset has no items")
    return Report(protocol=dict(protocol or {}), items=scores)


def summarise(items: Sequence[ItemScore]) -> Summary:
    """Items taken together; an item without valid pixels takes no part in `epe`."""
    pooled = items[0].metrics
    for item in items[1:]:
        pooled = pooled + item.metrics
    errors = [item.metrics.epe.value for item in items if item.metrics.epe.count]
    return Summary(items=len(items), epe=math.fsum(errors) / len(errors) if errors else math.nan, pooled=pooled)


def _score(item: FlowItem, flow: NDArray[np.float32]) -> ItemScore:
    if flow.shape != item.flow.shape:
        raise ValueError(f"the flow of {item.name} is {flow.shape} where {item.flow.shape} is expected")
    estimate, truth = (torch.from_numpy(values).permute(2, 0, 1) for values in (flow, item.flow))
    return ItemScore(item.name, item.group, measure(estimate, truth, torch.from_numpy(item.valid)))


def _number(value: float) -> float | None:
    """JSON knows no NaN and no infinity."""
    return value if math.isfinite(value) else None
