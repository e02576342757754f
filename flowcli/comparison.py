"""Several ways to estimate flow, scored on one dataset."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowcli import datasets
from flowcli.baselines import BASELINES
from flowcli.device import choose_device, choose_precision, keep_memory
from flowcli.errors import UsageError
from flowcli.estimator import FlowEstimator, Settings
from flowcli.evaluation import evaluate
from flowcli.weights import find, load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from flowcli.console import Console
    from flowcli.evaluation import Report

    Estimate = Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True)
class Comparison:
    """What `flowcli eval` was asked for."""

    dataset: str
    root: Path
    weights: tuple[str, ...]
    baselines: tuple[str, ...]
    iterations: int
    device: str
    precision: str


@dataclass(frozen=True)
class Scores:
    """The reports of several methods, by their names, on the same items."""

    reports: dict[str, Report]

    def rows(self) -> list[list[str]]:
        """A table: a header, a row for each group, and the mean; endpoint errors in px."""
        reports = list(self.reports.values())
        rows = [["EPE, px", "pairs", *self.reports]]
        for group, summary in reports[0].groups.items():
            rows.append([group, str(summary.items), *(f"{report.groups[group].epe:.3f}" for report in reports)])
        rows.append(["mean", str(reports[0].mean.items), *(f"{report.mean.epe:.3f}" for report in reports)])
        return rows

    def text(self) -> str:
        """The reports as JSON: that of the first method, and the others' under `compared`."""
        first, *others = self.reports
        record = self.reports[first].record()
        if others:
            record["compared"] = {name: self.reports[name].record() for name in others}
        return json.dumps(record, indent=1)


def compare(comparison: Comparison, console: Console) -> Scores:
    """Scores every method on every item; the items are read anew for each."""
    if comparison.dataset not in datasets.names():
        known = ", ".join(datasets.names())
        raise UsageError(f"eval does not know {comparison.dataset}", hint=f"it knows {known}")
    reports = {}
    for name, (estimate, protocol) in methods(comparison).items():
        items = console.follow(datasets.items(comparison.dataset, comparison.root), total=None, unit="pair")
        reports[name] = evaluate(items, estimate, protocol={"method": name, "dataset": comparison.dataset, **protocol})
    return Scores(reports)


def methods(comparison: Comparison) -> dict[str, tuple[Estimate, dict[str, object]]]:
    """Each method by its name: how to estimate with it, and what to say of that in the protocol."""
    unknown = [name for name in comparison.baselines if name not in BASELINES]
    if unknown:
        raise UsageError(f"there is no baseline {unknown[0]}", hint=f"baselines: {', '.join(BASELINES)}")
    device = choose_device(comparison.device)
    precision = choose_precision(comparison.precision, device)
    keep_memory()
    chosen: dict[str, tuple[Estimate, dict[str, object]]] = {}
    for name in comparison.weights:
        weights = find(name)
        settings = Settings(iterations=comparison.iterations, precision=precision)
        estimator = FlowEstimator(load(weights), device=device, settings=settings)
        protocol: dict[str, object] = {
            "sha256": weights.sha256,
            "iterations": comparison.iterations,
            "precision": str(precision).removeprefix("torch."),
            "device": str(device),
            "padding": "centre (sintel)",
            "warm_start": False,
        }
        label = weights.name if weights.name not in chosen else name
        chosen[label] = (estimator.flow_between, protocol)
    for name in comparison.baselines:
        chosen[name] = (BASELINES[name], {})
    return chosen
