"""Error and time with warm start, automatic iterations and batches, on sequences with ground truth."""

from __future__ import annotations

import statistics
import time

import numpy as np
import torch

from flowcli.flow.estimate import Estimate
from flowcli.media.cuts import number_shots
from flowcli.media.pairs import pair_up
from flowcli.model.estimator import FlowEstimator
from flowcli.model.quality import BALANCED, QUALITIES
from flowcli.model.settings import Settings
from flowcli.model.weights import DEFAULT, find, load
from tests.benchmarks.sequences import Sequence, sequences

DEFAULTS = QUALITIES[BALANCED]
AUTO = {"iterations": DEFAULTS.iterations, "tolerance": DEFAULTS.tolerance, "refinement": DEFAULTS.learned}
WAYS: dict[str, dict[str, object]] = {
    "cold, 12": {"iterations": 12},
    "warm, 12": {"iterations": 12, "warm_start": True},
    "warm, 12, batch 4": {"iterations": 12, "warm_start": True, "batch": 4},
    "cold, 6": {"iterations": 6},
    "warm, 6": {"iterations": 6, "warm_start": True},
    "cold, auto": AUTO,
    "warm, auto": {**AUTO, "warm_start": True},
}


def run() -> None:
    """Prints a line for every sequence and setting: EPE in px, seconds per pair, iterations per pair."""
    model = load(find(DEFAULT))
    print(f"{DEFAULT}, float32, {torch.get_num_threads()} threads; means per pair: EPE px, seconds, iterations")
    for sequence in sequences():
        print(f"\n{sequence.name}, {len(sequence.ground_truths)} pairs")
        for name, settings in WAYS.items():
            estimator = FlowEstimator(model, device=torch.device("cpu"), settings=Settings(**settings))  # type: ignore[arg-type]
            error, seconds, iterations = measure(estimator, sequence)
            print(f"  {name:18} {error:6.3f} {seconds:6.3f} {iterations:5.1f}", flush=True)


def measure(estimator: FlowEstimator, sequence: Sequence) -> tuple[float, float, float]:
    """The means over pairs: EPE in px where ground truth exists, seconds, iterations."""
    pairs = list(pair_up(number_shots(iter(sequence.frames))))
    started = time.perf_counter()
    estimates = list(estimator.estimate(pairs))
    seconds = (time.perf_counter() - started) / len(pairs)
    errors = [error for estimate in estimates if (error := endpoint_error(estimate, sequence)) is not None]
    return statistics.fmean(errors), seconds, statistics.fmean(estimate.iterations for estimate in estimates)


def endpoint_error(estimate: Estimate, sequence: Sequence) -> float | None:
    """The mean EPE of one pair over the pixels whose flow is known."""
    ground_truth = sequence.ground_truths[estimate.pair.first.index]
    if ground_truth is None:
        return None
    flow, known = ground_truth
    return float(np.linalg.norm(estimate.flow - flow, axis=2)[known].mean())
