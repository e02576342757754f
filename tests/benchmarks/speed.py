"""Times of pairs, videos and updates, against torchvision's RAFT, OpenCV's DIS and matrix products."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from flowcli.flow.estimate import Estimate
from flowcli.media.demo_clip import fan_flow
from flowcli.media.frames import Frame
from flowcli.model.device import autocast, keep_memory
from flowcli.model.estimator import FlowEstimator
from flowcli.model.quality import Effort
from flowcli.model.settings import Settings
from flowcli.model.weights import DEFAULT, find, load
from raft_core.raft import RAFT
from tests.benchmarks.figures import Figure, medians
from tests.benchmarks.models import HEIGHT, WIDTH, Peer, fan, ours, pairs_of, tensor
from tests.benchmarks.sequences import layered

CPU = torch.device("cpu")
PAIRS, PEER_PAIRS, ROUNDS = 8, 2, 4
MATRIX = 4096
SIZES = ("small", "large")


def pair() -> Iterator[Figure]:
    """The time of one pair in float32 with 12 updates, and the difference to torchvision's flow."""
    keep_memory()
    for size in SIZES:
        yield from one_pair(size)


def one_pair(size: str) -> Iterator[Figure]:
    """`pair` for one size."""
    model = ours(size)
    images = [tensor(frame) for frame in fan(2)]
    options: dict[str, Callable[[], object]] = {"flowcli": lambda: model.estimate(*images).upsampled()}
    name = f"pair, float32, 12 updates, {size}"
    with torch.inference_mode(), Peer(model, images) as peer:
        if peer.installed:
            options["torchvision"] = peer.compute
        seconds = medians(**options)
        yield Figure(name, seconds["flowcli"], "s", "torchvision", seconds.get("torchvision"), 0.65)
        if peer.installed:
            difference = (model.estimate(*images).upsampled() - peer.flow()).abs().max().item()
            yield Figure(f"  largest difference, {size}", difference, "px", "allowed", 1e-3, 1.0)


def video() -> Iterator[Figure]:
    """The time of a video's pairs after the first: in float32 with 12 updates, and by default with both qualities."""
    keep_memory()
    for size in SIZES:
        run = steady(ours(size), Settings(iterations=12, batch=None), fan(PAIRS + 1))
        yield Figure(f"video, float32, 12 updates, a pair, {size}", run.seconds, "s", "torchvision", run.peer, 0.50)
        if size == "small":
            exact = epe(run.estimates)
    # Random weights, of the large model, do not converge.
    calm = layered("calm", speed=3, count=PAIRS + 1, seed=1, height=HEIGHT, width=WIDTH).frames
    yield from by_default("balanced", "a calm video", calm, aim=0.15)
    yield from by_default("fast", "a calm video", calm, aim=0.05)
    yield from by_default("balanced", "the fan", fan(PAIRS + 1), aim=0.35, exact=exact)


def by_default(
    quality: str, name: str, frames: list[Frame], *, aim: float, exact: float | None = None
) -> Iterator[Figure]:
    """The time of `flowcli video` by quality; with `exact`, the EPE of 12 updates on the fan, its EPE too."""
    model = load(find(DEFAULT))
    settings = Effort(quality=quality).applied_to(Settings(batch=None), CPU, stated=model.metadata)
    run = steady(model, settings, frames)
    yield Figure(f"{name}, {quality}, a pair", run.seconds, "s", "torchvision", run.peer, aim)
    updates = statistics.fmean(estimate.iterations for estimate in run.estimates)
    yield Figure("  updates", updates, "", str(settings.precision))
    if exact is not None:
        yield Figure("  EPE", epe(run.estimates), "px", "float32, 12 updates", exact, 1.0)
    images = [cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY) for frame in frames[:2]]
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    yield Figure("  against DIS, medium", run.seconds, "s", "DIS", medians(dis=lambda: dis.calc(*images, None))["dis"])


@dataclass(frozen=True)
class Steady:
    """The seconds of a pair of a video, torchvision's of a pair with 12 updates, and the last round's estimates."""

    seconds: float
    peer: float | None
    estimates: list[Estimate]


def steady(model: RAFT, settings: Settings, frames: list[Frame]) -> Steady:
    """The medians of rounds of a whole video and of a few pairs by torchvision, in turns, after a round of warm-up."""
    taken, peer_taken = [], []
    estimator = FlowEstimator(model, device=CPU, settings=settings)
    with Peer(
        ours("large" if model.config.name == "raft-large" else "small"), [tensor(frame) for frame in frames[:2]]
    ) as peer:
        for _ in range(ROUNDS):
            started = time.perf_counter()
            estimates = list(estimator.estimate(pairs_of(frames)))
            taken.append((time.perf_counter() - started) / PAIRS)
            if peer.installed:
                for _ in range(PEER_PAIRS):
                    started = time.perf_counter()
                    peer.compute()
                    peer_taken.append(time.perf_counter() - started)
    peer_seconds = statistics.median(peer_taken[PEER_PAIRS:]) if peer_taken else None
    return Steady(statistics.median(taken[1:]), peer_seconds, estimates)


def epe(estimates: list[Estimate]) -> float:
    """The mean endpoint error in px over the fan's visible pixels."""
    errors = []
    for estimate in estimates:
        known = fan_flow(estimate.pair.first.index, height=HEIGHT, width=WIDTH)
        errors.append(np.linalg.norm(estimate.flow - known.flow, axis=2)[known.visible].mean())
    return float(np.mean(errors))


def update() -> Iterator[Figure]:
    """The time of an update without the lookup, against its floating-point operations in a matrix product."""
    keep_memory()
    for precision in (torch.float32, torch.bfloat16):
        seconds_each = seconds_of_an_operation(precision)
        for size in SIZES:
            model = ours(size)
            once, operations = one_update(model, precision), operations_of(model)
            taken = 1e3 * medians(rounds=15, once=once)["once"]
            name = f"update, {str(precision).removeprefix('torch.')}, {operations / 1e9:.1f} GFLOP, {size}"
            yield Figure(name, taken, "ms", "torch.mm", 1e3 * operations * seconds_each, 1.25)


def seconds_of_an_operation(precision: torch.dtype) -> float:
    """The seconds of one multiplication or addition within the product of two large matrices."""
    matrix = torch.randn(MATRIX, MATRIX).to(precision)
    with torch.inference_mode():
        return medians(rounds=3, product=lambda: matrix @ matrix)["product"] / (2 * MATRIX**3)


def operations_of(model: RAFT) -> int:
    """The floating-point operations of an update by direct convolution, without the context's part, computed once."""
    block, config = model.update_block, model.config
    weights = sum(module.weight.numel() for module in block.modules() if isinstance(module, torch.nn.Conv2d))
    once = sum(
        3 * config.hidden_channels * config.context_channels * rows * columns for rows, columns in config.gru_kernels
    )
    return 2 * (weights - once) * (HEIGHT // 8) * (WIDTH // 8)


def one_update(model: RAFT, precision: torch.dtype) -> Callable[[], object]:
    """A function that computes one update, always from the same inputs."""
    flow = torch.rand(1, 2, HEIGHT // 8, WIDTH // 8)
    image = tensor(fan(1)[0])
    with torch.inference_mode(), autocast(CPU, precision):
        features = model.encode(image)
        looked_up = model.correlate(features, features).lookup(flow)
        context = model.read_context(image)
        prepared = model.update_block.prepare(context.context)
        hidden = model.update_block(context.hidden, looked_up, flow, prepared).hidden

    def once() -> object:
        with torch.inference_mode(), autocast(CPU, precision):
            return model.update_block(hidden, looked_up, flow, prepared)

    return once
