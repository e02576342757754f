"""Differences of a GPU's flow to the CPU's, and its speed: `python -m tests.benchmarks gpu`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import torch

from flowcli.model.device import PRECISIONS, autocast
from flowcli.model.estimator import FlowEstimator
from flowcli.model.settings import Settings
from raft_core.raft import RAFT
from tests.benchmarks.figures import Figure, line_of, machine, medians, print_head
from tests.benchmarks.models import fan, ours, pairs_of, tensor, theirs

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
BATCHES = (1, 4, 16)
ALLOWED = {"fp32": 1e-3, "bf16": 0.5, "fp16": 0.1}
"""The allowed differences to the CPU's flow in px: the largest difference in float32, the mean one otherwise."""


def run() -> None:
    """Prints a table; the exit status is 1 where the flow differs."""
    if not torch.cuda.is_available():
        sys.exit("there is no CUDA device here")
    print_head(machine())
    right = True
    for size in ("small", "large"):
        model = ours(size)
        for figure in (*differences(model), *speeds(model)):
            print(line_of(figure, None), flush=True)
            right = right and (figure.at_most is None or (figure.ratio or 0) <= figure.at_most)
    if not right:
        sys.exit("the flow is not that of the CPU")


def flows(model: RAFT, device: torch.device, settings: Settings, count: int) -> list[np.ndarray]:
    """The flow of the fan's first pairs."""
    estimator = FlowEstimator(model, device=device, settings=settings)
    return [estimate.flow for estimate in estimator.estimate(pairs_of(fan(count + 1)))]


def differences(model: RAFT) -> Iterator[Figure]:
    """The differences to the CPU's flow."""
    expected = flows(model, CPU, Settings(), 2)
    for name, precision in PRECISIONS.items():
        found = flows(model, CUDA, Settings(precision=precision, batch=2), 2)
        apart = np.stack([np.linalg.norm(a - b, axis=2) for a, b in zip(expected, found, strict=True)])
        difference = float(apart.max() if name == "fp32" else apart.mean())
        yield Figure(f"{model.config.name}, {name} from the CPU's", difference, "px", "allowed", ALLOWED[name], 1.0)
    on_demand = flows(model, CUDA, Settings(on_demand=True), 2)
    difference = max(float(np.abs(a - b).max()) for a, b in zip(expected, on_demand, strict=True))
    yield Figure(f"{model.config.name}, fp32, on demand", difference, "px", "allowed", ALLOWED["fp32"], 1.0)


def speeds(model: RAFT) -> Iterator[Figure]:
    """Milliseconds a pair, by precision and batch, against torchvision's model in the same precision, pair by pair."""
    for name, precision in PRECISIONS.items():
        reference = peer_milliseconds(model, precision)
        for batch in BATCHES:
            estimator = FlowEstimator(model, device=CUDA, settings=Settings(precision=precision, batch=batch))
            pairs = pairs_of(fan(2 * batch + 1))
            taken = medians(rounds=3, ours=lambda: [each.flow for each in estimator.estimate(pairs)])["ours"]  # noqa: B023
            label = f"{model.config.name}, {name}, batch {batch}, a pair"
            yield Figure(label, 1e3 * taken / len(pairs), "ms", "torchvision", reference)


def peer_milliseconds(model: RAFT, precision: torch.dtype) -> float | None:
    """The time of a pair in torchvision's model, or None where it is not installed."""
    peer = theirs(model.cpu())
    if peer is None:
        return None
    peer = peer.to(CUDA)
    images = [tensor(frame).to(CUDA) for frame in fan(2)]

    def once() -> None:
        with torch.inference_mode(), autocast(CUDA, precision):
            peer(*images, num_flow_updates=12)
        torch.cuda.synchronize()

    return 1e3 * medians(once=once)["once"]
