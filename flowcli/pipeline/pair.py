"""Two images, from request to files."""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

from flowcli.errors import UsageError
from flowcli.flow.colour import ColourScale, magnitude
from flowcli.flow.outputs import check_outputs, open_sinks
from flowcli.media.frames import Frame, FramePair
from flowcli.media.sources._images import read_image
from flowcli.model.weights import find
from flowcli.pipeline.request import Request
from flowcli.pipeline.run import Run, created
from flowcli.pipeline.task import job_of, planned_outputs
from flowcli.pipeline.writing import write_estimates
from flowcli.system.console import Result
from flowcli.system.signals import Interruption, StoppedError

if TYPE_CHECKING:
    from flowcli.system.console import Console


def estimate_pair(request: Request, console: Console) -> Result:
    """Computes and writes the flow between two images."""
    outputs = planned_outputs(request, video=False)
    pair = read_pair(request)
    check_outputs(outputs, request.inputs, overwrite=request.overwrite)
    weights = find(request.weights)
    height, width = pair.first.image.shape[:2]
    run = Run(request, outputs, weights, (width, height))
    run.tell_how(console)
    started = time.monotonic()
    estimates = list(run.estimator.estimate([pair]))
    run.scale = run.scale or replace(run.plain, max_flow=ColourScale.covering([magnitude(estimates[0].flow)]).max_flow)
    opened = partial(open_sinks, outputs, style=run.style, encoding=run.encoding, rate=Fraction(1), tick=Fraction(1))
    with created(outputs), Interruption() as interruption:
        written = write_estimates(estimates, opened, interruption)
        if interruption.number and not written.complete:
            raise StoppedError(interruption.number, hint="run it again")
    written = replace(written, seconds=time.monotonic() - started)
    return run.conclude("pair", written, job=job_of(request, outputs, weights))


def read_pair(request: Request) -> FramePair:
    """The two images that were asked for; raises UsageError where they differ in size."""
    first, second = (read_image(path) for path in request.inputs)
    if first.shape != second.shape:
        sizes = " and ".join(f"{image.shape[1]} x {image.shape[0]}" for image in (first, second))
        raise UsageError(f"the images differ in size: {sizes}", hint="give two images of one size")
    return FramePair(Frame(0, Fraction(0), first), Frame(1, Fraction(0), second), continues=False)
