"""Validation: the errors of a run's averaged weights on a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flowcli.evaluation import datasets
from flowcli.evaluation.summary import evaluate
from flowcli.model.estimator import FlowEstimator
from flowcli.model.settings import Settings
from flowcli.training.refiner import validate_refiner

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch

    from flowcli.evaluation.datasets import FlowItem
    from flowcli.training.options import TrainingRun
    from raft_core.raft import RAFT


def errors_of(run: TrainingRun, validation: Path) -> dict[str, float]:
    """The errors in px of the run's averaged weights on this dataset, by group, and their mean."""
    name, root = validation_data(validation)
    items, settings = datasets.items(name, root), Settings(placement=datasets.placement(name))
    if run.raft is not None:
        return validate_refiner(run.state.average, run.raft, items, device=run.device, settings=settings)
    return validate(run.state.average, items, device=run.device, settings=settings)


def validate(
    model: RAFT, items: Iterable[FlowItem], *, device: torch.device, settings: Settings | None = None
) -> dict[str, float]:
    """The mean endpoint error in px of every group of items, and of all (`mean`); by default of 12 updates."""
    estimator = FlowEstimator(model, device=device, settings=settings)
    report = evaluate(items, estimator.flow_between)
    return {**{name: scores.epe for name, scores in report.groups.items()}, "mean": report.mean.epe}


def validation_data(text: Path) -> tuple[str, Path]:
    """The dataset and folder of `DATASET=PATH`; a path alone is a folder of the dataset `pairs`."""
    name, equals, folder = str(text).partition("=")
    return (name, Path(folder)) if equals and name in datasets.names() else ("pairs", text)
