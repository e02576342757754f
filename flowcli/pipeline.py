"""The order of things in one run: check, load, estimate, write, report."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

from flowcli.colour import ColourScale, magnitude
from flowcli.cuts import number_shots
from flowcli.device import choose_device, keep_memory
from flowcli.drawing import Style
from flowcli.encoding import Encoding
from flowcli.errors import FlowcliError, PartialError, SourceError, UsageError
from flowcli.estimator import FlowEstimator
from flowcli.frames import Frame, FramePair
from flowcli.glimpse import glimpsed_scale, parse_scale
from flowcli.interruption import Interruption, StoppedError
from flowcli.pairing import pair_up
from flowcli.partfile import write_whole
from flowcli.prefetch import Background, prefetch
from flowcli.quality import PhotometricError
from flowcli.report import Report, Stamp
from flowcli.resolving import direction_of, resolve
from flowcli.selection import parse_rate, parse_selection
from flowcli.sinks import (
    check_outputs,
    choose,
    draws,
    missing_folders,
    open_sinks,
    plan_outputs,
    remove_empty,
    report_path,
)
from flowcli.sources import open_source
from flowcli.sources._images import read_image
from flowcli.weights import Weights, find, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from flowcli.console import Console
    from flowcli.field import Estimate
    from flowcli.sinks import Output, Sink
    from flowcli.sources import Source


@dataclass(frozen=True)
class Request:
    """What a user asked for, as spelled on the command line."""

    inputs: tuple[Path, ...]
    output: Path | None
    save: str
    weights: str = "raft-small"
    iterations: str = "12"
    tolerance: float = 0.05
    direction: str = "forward"
    occlusion_relative: float = 0.01
    occlusion_absolute: float = 0.5
    device: str = "auto"
    precision: str = "auto"
    memory: str | None = None
    max_side: int | None = None
    scale: float = 1.0
    max_flow: str = "auto"
    legend: bool = False
    half: bool = False
    overwrite: bool = False
    warm_start: bool = False
    batch: str = "auto"
    skip: int = 1
    sliding: bool = False
    start: str | None = None
    end: str | None = None
    max_frames: int | None = None
    fps: str | None = None


@dataclass(frozen=True)
class Result:
    """What a run made, what it says of it, and what it survived."""

    outputs: tuple[Path, ...]
    summary: str
    report: str
    problem: FlowcliError | None = None


def estimate_video(request: Request, console: Console) -> Result:
    """Computes and writes the flow of a video or an image folder."""
    choose(request.save)
    selection = parse_selection(request.start, request.end, request.max_frames)
    with open_source(request.inputs[0], rate=parse_rate(request.fps), selection=selection) as source:
        return estimate_source(source, request, console)


def estimate_source(source: Source, request: Request, console: Console, *watchers: Sink) -> Result:
    """Computes and writes the flow of a source; `watchers` see every estimate too."""
    (path,) = request.inputs
    sinks = choose(request.save)
    direction = direction_of(request.direction, sinks)
    outputs = plan_outputs(sinks, path, video=True, output=request.output, direction=direction)
    check_outputs(outputs, request.inputs, overwrite=request.overwrite)
    run = Run(request, outputs)
    style = run.style(run.video_scale(source))
    pairs = pair_up(prefetch(number_shots(source.frames())), skip=request.skip, sliding=request.sliding)
    total = expected_pairs(source.meta.frame_count, request)
    estimates = console.follow(run.estimator.estimate(pairs), total=total, unit="pair")
    rate = source.meta.rate / (1 if request.sliding else request.skip)
    run.write(
        estimates,
        partial(open_sinks, outputs, style=style, encoding=run.encoding, rate=rate, tick=source.meta.tick),
        *watchers,
    )
    return run.conclude("video", (source.meta.width, source.meta.height), lost=source.lost)


def estimate_pair(request: Request, console: Console) -> Result:
    """Computes and writes the flow between two images."""
    sinks = choose(request.save)
    first, second = (read_image(path) for path in request.inputs)
    if first.shape != second.shape:
        sizes = " and ".join(f"{image.shape[1]} x {image.shape[0]}" for image in (first, second))
        raise UsageError(f"the images differ in size: {sizes}", hint="give two images of one size")
    direction = direction_of(request.direction, sinks)
    outputs = plan_outputs(sinks, request.inputs[0], video=False, output=request.output, direction=direction)
    check_outputs(outputs, request.inputs, overwrite=request.overwrite)
    run = Run(request, outputs)
    pair = FramePair(Frame(0, Fraction(0), first), Frame(1, Fraction(1), second), continues=False)
    estimates = list(run.estimator.estimate([pair]))
    style = run.style(run.fixed_scale or ColourScale.covering([magnitude(estimates[0].flow)]))
    run.write(
        estimates, partial(open_sinks, outputs, style=style, encoding=run.encoding, rate=Fraction(1), tick=Fraction(1))
    )
    return run.conclude("pair", (first.shape[1], first.shape[0]), lost=0)


class Run:
    """One run under way: its model, its clock, and what it has written."""

    def __init__(self, request: Request, outputs: Sequence[Output]) -> None:
        """Loads the model: everything that can be refused was refused before."""
        self.request = request
        self.outputs = outputs
        self.fixed_scale = parse_scale(request.max_flow)
        self.encoding = Encoding(half=request.half)
        self.device = choose_device(request.device)
        settings = resolve(request, device=self.device, sinks=[output.sink for output in outputs])
        self.weights: Weights = find(request.weights)
        keep_memory()
        self.estimator = FlowEstimator(load(self.weights), device=self.device, settings=settings)
        self.photometric_error = PhotometricError()
        self.stamps: list[Stamp] = []
        self.scale: ColourScale | None = None
        self.started = time.monotonic()

    def style(self, scale: ColourScale) -> Style:
        """How this run draws; the report will say so."""
        self.scale = scale
        return Style(scale, self.request.legend)

    def video_scale(self, source: Source) -> ColourScale:
        """One colour scale for the whole video, where anything is drawn in it."""
        if self.fixed_scale or not any(draws(output.sink) for output in self.outputs):
            return self.fixed_scale or ColourScale(1.0)
        return glimpsed_scale(source, self.estimator, skip=self.request.skip)

    def write(self, estimates: Iterable[Estimate], opened: Callable[[], list[Sink]], *watchers: Sink) -> None:
        """Hands every estimate to every sink; all sinks end complete, partial after a signal, or not at all."""
        made = missing_folders(self.outputs)
        with Interruption() as interruption:
            try:
                behind: list[Background[Estimate]] = [
                    Background(sink) for sink in (*opened(), self.photometric_error, *watchers)
                ]
                with all_or_none(behind):
                    for estimate in interruption.until_stopped(estimates):
                        for sink in behind:
                            sink.write(estimate)
                        self.stamps.append(Stamp.of(estimate))
                    if interruption.number:
                        kept = [str(path) for path in [sink.finish_partial() for sink in behind] if path]
                        hint = f"what is done is in {', '.join(kept)}" if kept else "nothing was finished yet"
                        raise StoppedError(interruption.number, hint=hint)
                    self.refuse_nothing()
                    # A signal from here on is too late: what is left to do takes a moment.
                    for sink in behind:
                        sink.close()
            finally:
                remove_empty(made)

    def refuse_nothing(self) -> None:
        """Raises where no pair came."""
        if not self.stamps:
            skip = self.request.skip
            raise SourceError(
                f"{self.request.inputs[0]} is too short for a pair",
                hint=f"with --skip {skip} it takes at least {skip + 1} frames",
            )

    def conclude(self, command: str, size: tuple[int, int], *, lost: int) -> Result:
        """Writes the report and sums up."""
        seconds = time.monotonic() - self.started
        paths = tuple(output.path for output in self.outputs)
        report = Report(
            command=command,
            inputs=self.request.inputs,
            size=size,
            weights=self.weights,
            settings=self.settings(size),
            pairs=tuple(self.stamps),
            outputs=paths,
            seconds=seconds,
            lost_frames=lost,
            photometric_error=self.photometric_error.mean,
        ).text()
        write_whole(report_path(self.outputs, self.request.inputs[0]), report.encode())
        problem = None
        if lost:
            problem = PartialError(
                f"{lost} frame{'s' * (lost != 1)} of {self.request.inputs[0]} could not be decoded",
                hint="the flow to and from what was lost is missing; the rest is written",
            )
        return Result(paths, self.summary(seconds), report, problem)

    def settings(self, size: tuple[int, int]) -> dict[str, object]:
        """The settings as resolved, for the report."""
        request, settings = self.request, self.estimator.settings
        plan = self.estimator.plan(size[1], size[0])
        return {
            "iterations": settings.iterations,
            "tolerance": settings.tolerance,
            "direction": settings.direction,
            "warm_start": settings.warm_start,
            "batch": plan.batch,
            "correlation": "on demand" if plan.on_demand else "all pairs",
            "device": str(self.device),
            "precision": str(settings.precision).removeprefix("torch."),
            "scale": settings.reduction.scale,
            "max_side": settings.reduction.max_side,
            "occlusion": {"relative": settings.occlusion.relative, "absolute": settings.occlusion.absolute},
            "skip": request.skip,
            "sliding": request.sliding,
            "save": request.save,
            "max_flow": self.scale and round(self.scale.max_flow, 3),
        }

    def summary(self, seconds: float) -> str:
        """One line: how many flows, how fast, how well they explain the frames."""
        count = len(self.stamps)
        line = f"{count} flow{'s' * (count != 1)} in {seconds:.1f} s"
        if self.photometric_error.mean:
            before, after = self.photometric_error.mean
            line += f"; frames differ by {before:.1f} grey levels on average, once warped by the flow by {after:.1f}"
        return line


@contextmanager
def all_or_none(sinks: Sequence[Background[Estimate]]) -> Iterator[None]:
    """Aborts every sink when the block fails; a run that was stopped has seen to its sinks itself."""
    try:
        yield
    except StoppedError:
        raise
    except BaseException:
        for sink in sinks:
            sink.abort()
        raise


def expected_pairs(frames: int | None, request: Request) -> int | None:
    """How many pairs that many frames make, if the count is known."""
    if frames is None:
        return None
    return max(0, frames - request.skip if request.sliding else (frames - 1) // request.skip)
