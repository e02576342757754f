"""The time of a video from file to file, in this process, against the model alone on frames in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from flowcli.flow.colour import ColourScale, colour_flow
from flowcli.media.pairs import pairs_of
from flowcli.media.pyav import VideoWriter
from flowcli.model.weights import load
from flowcli.pipeline.request import Request
from flowcli.pipeline.settings import estimator_of, fix_settings
from flowcli.pipeline.task import Task
from flowcli.pipeline.video import estimate_video, source_of
from flowcli.system.console import Console
from tests.benchmarks.figures import Figure, medians
from tests.benchmarks.models import HEIGHT, WIDTH, fan

FRAMES = 24
ROUNDS = 3


def pipeline() -> Iterator[Figure]:
    """The seconds of `flowcli video` with a given colour scale, and of its parts one by one, to those of the model."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder, "fan.mp4")
        encode(clip, [np.ascontiguousarray(frame.image) for frame in fan(FRAMES)])
        request = Request((clip,), output=Path(folder, "flow.mp4"), max_flow="8", overwrite=True)
        task = Task.of(request)
        model = load(task.weights)
        estimator = estimator_of(request, task.weights, model=model)
        fix_settings(estimator, (WIDTH, HEIGHT), None)
        with source_of(request) as source:
            pairs = list(pairs_of(source.frames()))
        flows = [estimate.flow for estimate in estimator.estimate(pairs)]
        pictures = [colour_flow(flow, scale=ColourScale(8)) for flow in flows]

        def decode() -> None:
            with source_of(request) as opened:
                list(opened.frames())

        seconds = medians(
            rounds=ROUNDS,
            model=lambda: list(estimator.estimate(pairs)),
            whole=lambda: estimate_video(task, Console(quiet=True), model=model),
            decode=decode,
            draw=lambda: [colour_flow(flow, scale=ColourScale(8)) for flow in flows],
            encode=lambda: encode(Path(folder, "pictures.mp4"), pictures),
        )
    alone = seconds["model"]
    yield Figure(f"{len(pairs)} pairs from file to file", seconds["whole"], "s", "the model alone", alone, 1.05)
    for part in ("decode", "draw", "encode"):
        yield Figure(f"  {part} alone", seconds[part], "s", "the model alone", alone)


def encode(path: Path, pictures: list[np.ndarray]) -> None:
    """Writes pictures as a video at 25 per second."""
    writer = VideoWriter(path, rate=Fraction(25), tick=Fraction(1, 25))
    for number, picture in enumerate(pictures):
        writer.write(picture, time=Fraction(number, 25))
    writer.close()
