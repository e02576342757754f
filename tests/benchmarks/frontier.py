"""The frontier of error and time: every method's EPE by group against its seconds for a pair of 1024×436 pixels.

flowcli computes with its default weights, torchvision with raft-small. Errors are of the validation pairs in
../shared/pairs, or where FLOWCLI_PAIRS says; times are of the demo's frames, in turns. Draws ./frontier.svg.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from flowcli.evaluation import datasets
from flowcli.evaluation.methods import farneback
from flowcli.evaluation.summary import score
from flowcli.model.device import keep_memory
from flowcli.model.estimator import estimator_for
from flowcli.model.quality import QUALITIES, Effort
from flowcli.model.settings import Settings
from flowcli.model.weights import DEFAULT, find
from raft_core.images import Padding, to_model_range
from tests.benchmarks.chart import Point, chart
from tests.benchmarks.models import Peer, fan, ours, pairs_of, tensor, theirs

Image = NDArray[np.uint8]
Estimate = Callable[[Image, Image], NDArray[np.float32]]
FRAMES, ROUNDS = 5, 5
"""A method's time in a round is that of a pair of a video of so many frames, on average."""
REFERENCE = "DIS medium"


def run() -> None:
    """Prints the table and draws the chart."""
    root = Path(os.environ.get("FLOWCLI_PAIRS", "../shared/pairs"))
    if not root.is_dir():
        raise SystemExit(f"{root} does not exist; FLOWCLI_PAIRS names a folder for `flowcli eval pairs`")
    keep_memory()
    seconds = times()
    errors = {name: errors_of(estimate, root) for name, estimate in estimates()}
    groups = sorted(errors[REFERENCE])
    print(f"{'method':24} {'s / pair':>9} " + " ".join(f"{group:>16}" for group in groups))
    points = []
    for name in sorted(errors, key=lambda name: seconds[name]):
        print(f"{name:24} {seconds[name]:9.4f} " + " ".join(f"{errors[name][group]:16.3f}" for group in groups))
        relative = [errors[name][group] / errors[REFERENCE][group] for group in groups]
        points.append(Point(name, seconds[name], statistics.geometric_mean(relative), ours=name in QUALITIES))
    path = Path("frontier.svg")
    path.write_text(chart(points), encoding="utf-8")
    print(f"{path}: the geometric mean of the groups' EPE, {REFERENCE} = 1")


def times() -> dict[str, float]:
    """The median seconds of a pair by each method, in turns."""
    frames = fan(FRAMES, height=436)
    images = [frame.image for frame in frames]
    calls: dict[str, Callable[[], object]] = {}
    for name, estimate in classical():
        calls[name] = lambda estimate=estimate: [estimate(*pair) for pair in pairwise(images)]
    for name in QUALITIES:
        estimator = estimator_for(
            find(DEFAULT), device="cpu", effort=Effort(quality=name), settings=Settings(batch=None)
        )
        calls[name] = lambda estimator=estimator: list(estimator.estimate(pairs_of(frames)))
    with ExitStack() as stack:
        padding = Padding.for_size(*images[0].shape[:2])
        peer = stack.enter_context(Peer(ours("small"), [padding.pad(tensor(frame)) for frame in frames[:2]]))
        if peer.installed:
            calls["torchvision, 12 updates"] = lambda: [peer.compute() for _ in range(FRAMES - 1)]
        taken: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(ROUNDS):
            for name, call in calls.items():
                started = time.perf_counter()
                call()
                taken[name].append((time.perf_counter() - started) / (FRAMES - 1))
    # The first round includes one-time initialisation.
    return {name: statistics.median(each[1:]) for name, each in taken.items()}


def classical() -> Iterator[tuple[str, Estimate]]:
    """The methods of OpenCV."""
    for name in ("ultrafast", "fast", "medium"):
        method = cv2.DISOpticalFlow.create(getattr(cv2, f"DISOPTICAL_FLOW_PRESET_{name.upper()}"))
        yield f"DIS {name}", lambda first, second, method=method: method.calc(*map(grey, (first, second)), None)
    yield "Farneback", farneback


def estimates() -> Iterator[tuple[str, Estimate]]:
    """Every method."""
    yield from classical()
    for name in QUALITIES:
        yield name, estimator_for(find(DEFAULT), device="cpu", effort=Effort(quality=name)).flow_between
    if (peer := theirs(ours("small"))) is not None:
        yield "torchvision, 12 updates", lambda first, second: peer_flow(peer, first, second)


def peer_flow(peer: torch.nn.Module, first: Image, second: Image) -> NDArray[np.float32]:
    """torchvision's flow."""
    padding = Padding.for_size(*first.shape[:2])
    ready = [padding.pad(to_model_range(torch.from_numpy(image).permute(2, 0, 1)[None])) for image in (first, second)]
    with torch.inference_mode():
        flow = padding.crop(peer(*ready, num_flow_updates=12)[-1])
    return flow[0].permute(1, 2, 0).contiguous().numpy()


def grey(image: Image) -> Image:
    """A frame in grey values."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def errors_of(estimate: Estimate, root: Path) -> dict[str, float]:
    """The EPE in px by group: over a pair's valid pixels, then over pairs."""
    found: dict[str, list[float]] = {}
    for sample in datasets.samples("pairs", root, "validation"):
        item = datasets.read(sample)
        scored = score(item, estimate(item.first, item.second))
        found.setdefault(scored.group, []).append(scored.metrics.epe.value)
    return {group: statistics.fmean(errors) for group, errors in found.items()}
