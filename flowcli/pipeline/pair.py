"""Computes and writes the flow between two images."""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from flowcli.flow.colour import magnitude
from flowcli.flow.outputs import check_outputs
from flowcli.media.frames import Frame, FramePair, VideoMeta
from flowcli.media.images import read_images
from flowcli.media.levels import notes_of, parse_levels
from flowcli.pipeline.colour_scale import colours_of
from flowcli.pipeline.run import Run, removing_empty_folders
from flowcli.pipeline.settings import estimator_of, fix_settings
from flowcli.pipeline.task import Task
from flowcli.system.signals import Interruption, StoppedError

if TYPE_CHECKING:
    from flowcli.pipeline.request import Request
    from flowcli.system.console import Console, Result


def estimate_pair(request: Request, console: Console) -> Result:
    """Computes the flow between the two images of a request and writes its outputs and report.

    Raises StoppedError if a signal arrives before the flow is written.
    """
    task = Task.of(request, video=False)
    pair, meta = read_pair(request)
    check_outputs(task.outputs, request.inputs, overwrite=request.overwrite)
    estimator = estimator_of(request, task.weights, saved=task.saved)
    fix_settings(estimator, (meta.width, meta.height), None)
    started = time.monotonic()
    (estimate,) = estimator.estimate([pair])
    colours = colours_of(
        request, task.outputs, sampled=lambda: [magnitude(estimate.shown(stabilise=request.stabilise))]
    )
    run = Run(task, meta, estimator, colours)
    run.detail(console)
    with removing_empty_folders(task.outputs), Interruption() as interruption:
        written = run.write(iter([estimate]), task.outputs, interruption)
        if interruption.number and not written.complete:
            raise StoppedError(interruption.number, hint="run it again")
    notes = tuple(notes_of(meta.levels, parse_levels(request.levels)))
    return run.conclude("pair", replace(written, seconds=time.monotonic() - started, notes=notes))


def read_pair(request: Request) -> tuple[FramePair, VideoMeta]:
    """The two images of a request as a pair, described as a video of two frames at 1 frame per second.

    Raises UsageError if they differ in size.
    """
    first, second, levels = read_images(*request.inputs, levels=parse_levels(request.levels))
    images = zip((first, second), request.inputs, strict=True)
    height, width = first.shape[:2]
    name = request.inputs[0].name
    meta = VideoMeta(name, width, height, Fraction(1), 2, tick=Fraction(1), counted=True, levels=levels)
    frames = [Frame(index, Fraction(0), image, path=path) for index, (image, path) in enumerate(images)]
    return FramePair(frames[0], frames[1], continues=False), meta
