"""One run under way: its model, its colours, its segments, and what it says in the end."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from flowcli.errors import PartialError, SourceError
from flowcli.flow.colour import parse_mode, parse_scale, plain_scale
from flowcli.flow.drawing import Style
from flowcli.flow.naming import Part
from flowcli.flow.outputs import draws, join_parts, missing_folders, remove_stale, report_path
from flowcli.flow.photometric import mean_error
from flowcli.model.device import choose_device, keep_memory
from flowcli.model.estimator import FlowEstimator
from flowcli.model.weights import Weights, load
from flowcli.pipeline.colour_scale import ScaleByPast, glimpsed_scale, scale_by_pair
from flowcli.pipeline.report import Report
from flowcli.pipeline.segments import Segment, in_segments, part_of
from flowcli.pipeline.settings import encoding_of, resolve
from flowcli.pipeline.writing import write_estimates
from flowcli.system.console import Result
from flowcli.system.files import partial_name, write_whole
from flowcli.system.outputs import remove_empty
from flowcli.system.signals import Interruption, StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from flowcli.flow.colour import ColourScale
    from flowcli.flow.estimate import Estimate
    from flowcli.flow.outputs import Output, Sink
    from flowcli.media.frames import FramePair, Sound
    from flowcli.media.sources import Source
    from flowcli.pipeline.request import Request
    from flowcli.pipeline.segments import Journal
    from flowcli.system.console import Console
    from raft_core.raft import RAFT


class Run:
    """One run under way: its model, its colours, and its clock."""

    def __init__(
        self,
        request: Request,
        outputs: Sequence[Output],
        weights: Weights,
        size: tuple[int, int],
        *,
        resolved: Mapping[str, Any] | None = None,
        model: RAFT | None = None,
    ) -> None:
        """Loads the model, unless it is there: everything that can be refused was refused before.

        Frames are `size` (width, height). What an earlier process `resolved` for this run stays so.
        """
        self.request = request
        self.outputs = outputs
        self.weights = weights
        self.size = size
        self.plain = plain_scale(request.gamma, request.background)
        self.scale = parse_scale(request.max_flow, gamma=request.gamma, background=request.background)
        self.scaled: Callable[[Iterator[Estimate]], Iterator[Estimate]] | None = None
        if parse_mode(request.scale_mode, request.max_flow) == "frame":
            self.scaled = partial(scale_by_pair, like=self.plain)
        self.encoding = encoding_of(request)
        self.sound: Sound | None = None
        self.device = choose_device(request.device)
        settings = resolve(request, device=self.device, sinks=[output.sink for output in outputs])
        keep_memory()
        self.estimator = FlowEstimator(model or load(weights), device=self.device, settings=settings)
        if resolved is None:
            plan = self.estimator.plan(size[1], size[0])
            fixed = replace(settings, batch=plan.batch, on_demand=plan.on_demand)
        else:
            precision = getattr(torch, resolved["precision"])
            fixed = replace(settings, batch=resolved["batch"], on_demand=resolved["on_demand"], precision=precision)
            self.scale = replace(self.plain, max_flow=resolved["max_flow"])
            torch.set_num_threads(resolved["threads"])
        self.estimator.settings = fixed

    def tell_how(self, console: Console) -> None:
        """Says what will be computed, and how, to who asked for that."""
        (width, height), (columns, rows) = self.size, self.estimator.computed_size(*self.size)
        console.detail(f"frames of {width} x {height} are computed at {columns} x {rows}")
        console.detail(f"weights {self.weights.name}, sha256 {self.weights.sha256}")
        console.detail(", ".join(f"{name} {value}" for name, value in self.settings().items() if value is not None))

    def resolved(self) -> dict[str, object]:
        """What another process needs to go on with the same arithmetic and colours."""
        settings = self.estimator.settings
        return {
            "batch": settings.batch,
            "on_demand": settings.on_demand,
            "precision": str(settings.precision).removeprefix("torch."),
            "threads": torch.get_num_threads(),
            "max_flow": self.scale and self.scale.max_flow,
        }

    @property
    def style(self) -> Style:
        """How this run draws."""
        if self.scale is None:
            raise ValueError("the colour scale is not settled yet")
        return Style(self.scale, self.request.legend, self.request.arrow_grid, self.request.arrow_min)

    def video_scale(self, source: Source) -> ColourScale:
        """One colour scale for the whole video, where anything is drawn in it; a stream's may change later."""
        if self.scaled or not any(draws(output.sink) for output in self.outputs):
            return self.plain
        scale = replace(self.plain, max_flow=glimpsed_scale(source, self.estimator, skip=self.request.skip).max_flow)
        if not source.meta.sought:
            self.scaled = ScaleByPast(scale)
        return scale

    def write_segments(
        self,
        pairs: Iterator[FramePair],
        journal: Journal,
        opened: Callable[[Sequence[Output]], Sequence[Sink]],
    ) -> None:
        """Computes and writes what is left, closing one segment after another, and joins their outputs."""
        memory = journal.memory(self.device)
        with Interruption() as interruption, self.remembered(journal):
            for segment in interruption.until_stopped(in_segments(pairs, length=self.request.segment)):
                memory.forget_frames()
                parts = [part_of(journal.folder, output, len(journal.closed)) for output in self.outputs]
                estimates = self.estimator.estimate(segment, memory=memory)
                if self.scaled:
                    estimates = self.scaled(estimates)
                written = write_estimates(estimates, partial(opened, parts), interruption)
                if not written.complete:
                    raise self.stopped(interruption.number, journal, written)
                journal.close_segment(written, memory)
            if interruption.number and next(pairs, None) is not None:
                raise self.stopped(interruption.number, journal, Segment())
            self.join(journal)

    @contextmanager
    def remembered(self, journal: Journal) -> Iterator[None]:
        """Keeps the journal of a run that fails or is stopped where files of it are left, so that it can be resumed."""
        try:
            yield
        finally:
            journal.kept |= any(output.numbered and output.existing() for output in self.outputs)

    def stopped(self, number: int | None, journal: Journal, unfinished: Segment) -> StoppedError:
        """Keeps what is done under partial names, and says where it is."""
        kept = []
        for output in self.outputs:
            if not output.asked_for:
                continue
            if output.numbered:
                kept.append(output.path if output.existing() else None)
                continue
            parts = journal.parts(output)
            if unfinished.stamps:
                path = part_of(journal.folder, output, len(journal.closed)).path
                parts.append(Part(partial_name(path), unfinished.stamps[0].time))
            kept.append(join_parts(output, parts, partial=True, sound=self.sound))
        there = [str(path) for path in kept if path]
        journal.kept |= bool(there)
        hint = f"what is done is in {', '.join(there)}; --resume goes on" if there else "nothing was finished yet"
        return StoppedError(number or 0, hint=hint)

    def join(self, journal: Journal) -> None:
        """Completes the outputs from all segments; raises SourceError where no pair came."""
        indices = {stamp.first for stamp in journal.done.stamps}
        if not indices:
            raise too_short(self.request)
        for output in self.outputs:
            if output.numbered:
                remove_stale(output, indices)
            else:
                join_parts(output, journal.parts(output), sound=self.sound)

    def conclude(
        self, command: str, done: Segment, *, job: Mapping[str, object], source: Source | None = None
    ) -> Result:
        """Writes the report and sums up, once all frames of a `source` were read, here or for each segment."""
        lost = done.lost + (source.lost if source else 0)
        notes = tuple(dict.fromkeys([*(source.notes if source else ()), *done.notes, *self.estimator.notes]))
        paths = tuple(dict.fromkeys(output.path for output in self.outputs if output.asked_for))
        error = mean_error(done.errors)
        report = Report(
            command=command,
            inputs=self.request.inputs,
            size=self.size,
            weights=self.weights,
            job=job,
            settings=self.settings(),
            pairs=done.stamps,
            outputs=paths,
            seconds=done.seconds,
            start=source.meta.start if source else Fraction(0),
            notes=notes,
            lost_frames=lost,
            photometric_error=error,
        ).text()
        write_whole(report_path(self.outputs, self.request.inputs[0], name=self.request.name), report.encode())
        problem = incomplete(self.request.inputs[0], lost=lost, unknown=sum(not stamp.finite for stamp in done.stamps))
        return Result(paths, summary(done, error), report, problem, notes)

    def settings(self) -> dict[str, object]:
        """The settings as resolved, for the report."""
        request, settings = self.request, self.estimator.settings
        return {
            "iterations": settings.iterations,
            "tolerance": settings.tolerance,
            "direction": settings.direction,
            "warm_start": settings.warm_start,
            "batch": settings.batch,
            "correlation": "on demand" if settings.on_demand else "all pairs",
            "device": str(self.device),
            "precision": str(settings.precision).removeprefix("torch."),
            "threads": torch.get_num_threads(),
            "scale": settings.reduction.scale,
            "max_side": settings.reduction.max_side,
            "occlusion": {"relative": settings.occlusion.relative, "absolute": settings.occlusion.absolute},
            "skip": request.skip,
            "sliding": request.sliding,
            "save": request.save,
            "max_flow": None if self.scaled or not self.scale else round(self.scale.max_flow, 3),
            "scale_mode": request.scale_mode,
            "gamma": request.gamma,
            "background": request.background,
        }


def incomplete(path: Path, *, lost: int, unknown: int) -> PartialError | None:
    """The error where frames were `lost`, or the flow of pairs stayed `unknown`; None where all is there."""
    if lost:
        return PartialError(
            f"{lost} frame{'s' * (lost != 1)} of {path} could not be decoded",
            hint="the flow to and from what was lost is missing; the rest is written",
        )
    if unknown:
        return PartialError(
            f"the flow of {unknown} pair{'s' * (unknown != 1)} of {path} is unknown in part: the model gave no numbers",
            hint="try other --weights, or --precision fp32; the rest is written",
        )
    return None


def too_short(request: Request) -> SourceError:
    """The error where an input has no pair."""
    return SourceError(
        f"{request.inputs[0]} is too short for a pair",
        hint=f"with --skip {request.skip} it takes at least {request.skip + 1} frames",
    )


def summary(done: Segment, error: tuple[float, float] | None) -> str:
    """One line: how many flows, how fast, how well they explain the frames."""
    count = len(done.stamps)
    line = f"{count} flow{'s' * (count != 1)} in {done.seconds:.1f} s"
    if error:
        before, after = error
        line += f"; frames differ by {before:.1f} grey levels on average, once warped by the flow by {after:.1f}"
    return line


@contextmanager
def created(outputs: Sequence[Output]) -> Iterator[None]:
    """Removes the folders that were made for outputs and stayed empty."""
    made = missing_folders(outputs)
    try:
        yield
    finally:
        remove_empty(made)
