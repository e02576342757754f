"""Differences of a GPU's flow to the CPU's, and its frames per second: `python -m tests.benchmarks gpu`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from itertools import chain

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from flowcli.media.frames import FramePair
from flowcli.model.device import PRECISIONS, autocast
from flowcli.model.estimator import FlowEstimator
from flowcli.model.quality import Effort
from flowcli.model.settings import Settings
from raft_core.raft import RAFT
from tests.benchmarks.figures import Figure, line_of, machine, medians, print_head
from tests.benchmarks.models import fan, ours, pairs_of, tensor, theirs

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
MODELS = ("small", "convex", "large")
SIZES = {"1024x440": (440, 1024, 32), "1080p": (1080, 1920, 8), "4K": (2160, 3840, 2)}
"""Height, width, and how many pairs of a video are timed."""
QUALITIES = ("balanced", "fast")
COMPILED = "1024x440"
"""The size for which torchvision's model is compiled too, which takes minutes."""
ALLOWED = {"fp32": 1e-3, "bf16": 0.5, "fp16": 0.1}
"""The allowed differences to the CPU's flow in px: the largest difference in float32, the mean one otherwise."""


def run() -> None:
    """Prints a table; the exit status is 1 where the flow differs."""
    if not torch.cuda.is_available():
        sys.exit("there is no CUDA device here")
    print_head(machine())
    right = True
    for name in MODELS:
        model = ours(name)
        for figure in chain(differences(model), rates(model, CUDA)):
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


def rates(model: RAFT, device: torch.device) -> Iterator[Figure]:
    """Pairs of a video per second, by size and precision with 12 updates and by quality, and the GPU's share of it.

    torchvision's are of one pair after the other, with 12 updates.
    """
    for size, (height, width, count) in SIZES.items():
        pairs = pairs_of(fan(count + 1, height=height, width=width))
        label = f"{model.config.name}, {size}"
        for name, precision in PRECISIONS.items():
            peers = peer_rates(model, pairs[0], device, precision, compiled=size == COMPILED)
            settings = Settings(iterations=12, precision=precision, batch=None)
            yield from rate(f"{label}, {name}", FlowEstimator(model, device=device, settings=settings), pairs, peers)
        for quality in QUALITIES if model.config.name == "raft-small-convex" else ():
            settings = Effort(quality=quality).applied_to(Settings(batch=None), device, stated=model.metadata)
            yield from rate(f"{label}, {quality}", FlowEstimator(model, device=device, settings=settings), pairs, {})


def rate(
    label: str, estimator: FlowEstimator, pairs: list[FramePair], peers: dict[str, float | None], *, rounds: int = 3
) -> Iterator[Figure]:
    """The pairs per second, also against each of `peers`, and the share of the time in which the GPU works."""

    def once() -> None:
        for estimate in estimator.estimate(pairs):
            estimate.flow  # noqa: B018 - waits for the GPU

    found = len(pairs) / medians(rounds=rounds, ours=once)["ours"]
    yield Figure(label, found, "/s")
    for name, reference in peers.items():
        if reference is not None:
            yield Figure("  against torchvision", found, "/s", name, reference)
    if estimator.device.type == "cuda":
        yield Figure("  the GPU works", 100 * busy(once), "%")


def busy(compute: Callable[[], None]) -> float:
    """The share of the time in which kernels run on the GPU."""
    with profile(activities=[ProfilerActivity.CUDA]) as recorded:
        started = time.perf_counter()
        compute()
        torch.cuda.synchronize()
        seconds = time.perf_counter() - started
    return sum(event.self_device_time_total for event in recorded.key_averages()) / 1e6 / seconds


def peer_rates(
    model: RAFT, pair: FramePair, device: torch.device, precision: torch.dtype, *, compiled: bool
) -> dict[str, float | None]:
    """Pairs per second of torchvision's model, eager and `compiled`; None where it lacks memory or is not installed."""
    peer = None if model.config.name == "raft-small-convex" else theirs(model.cpu())
    if peer is None:
        return {}
    peer = peer.to(device)
    images = [tensor(frame).to(device) for frame in (pair.first, pair.second)]
    models = {"eager": peer, **({"compiled": torch.compile(peer)} if compiled else {})}
    return {name: peer_rate(one, images, device, precision) for name, one in models.items()}


def peer_rate(
    peer: Callable[..., object], images: list[torch.Tensor], device: torch.device, precision: torch.dtype
) -> float | None:
    """Pairs per second of a model of torchvision; None where it lacks memory."""

    def once() -> None:
        with torch.inference_mode(), autocast(device, precision):
            peer(*images, num_flow_updates=12)
        if device.type == "cuda":
            torch.cuda.synchronize()

    try:
        return 1 / medians(rounds=3, once=once)["once"]
    except torch.OutOfMemoryError:
        return None
