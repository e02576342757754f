"""Executes a task: writes its segments, joins them, and writes the report."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

from flowcli.errors import OutputError
from flowcli.flow.drawing import Style
from flowcli.flow.estimate import with_repeated
from flowcli.flow.kinds import Picture
from flowcli.flow.naming import Part
from flowcli.flow.outputs import join_parts, missing_files, missing_folders, open_writers, remove_stale
from flowcli.flow.photometric import mean_error
from flowcli.pipeline.report import Report, problem_of
from flowcli.pipeline.segments import Segment, in_segments, part_of
from flowcli.pipeline.settings import pairing_of, resolved_of, settings_record
from flowcli.pipeline.writing import write_estimates
from flowcli.system.console import Result
from flowcli.system.files import partial_name, write_whole
from flowcli.system.outputs import remove_empty
from flowcli.system.signals import Interruption, StoppedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flowcli.flow.colour import ColourScale
    from flowcli.flow.estimate import Estimate
    from flowcli.flow.outputs import Output, OutputWriter
    from flowcli.media.frames import Audio, FramePair, VideoMeta
    from flowcli.media.sources import Source
    from flowcli.model.estimator import FlowEstimator
    from flowcli.model.memory import Memory
    from flowcli.pipeline.colour_scale import Colours
    from flowcli.pipeline.segments import Journal
    from flowcli.pipeline.task import Task
    from flowcli.system.console import Console


@dataclass(frozen=True)
class Run:
    """A task with its model, colour scale and audio; `watchers` receive every estimate in addition to the outputs."""

    task: Task
    meta: VideoMeta
    estimator: FlowEstimator
    colours: Colours
    audio: Audio | None = None
    watchers: Sequence[OutputWriter] = ()

    def detail(self, console: Console) -> None:
        """Prints the computed size, the weights and the settings if the console is verbose."""
        width, height = self.meta.width, self.meta.height
        columns, rows = self.estimator.computed_size(width, height)
        console.detail(f"frames of {width} x {height} are computed at {columns} x {rows}")
        console.detail(f"weights {self.task.weights.name}, sha256 {self.task.weights.sha256}")
        console.detail(", ".join(f"{name} {value}" for name, value in self.settings.items() if value is not None))

    @property
    def resolved(self) -> dict[str, Any]:
        """The settings that a process resuming the run needs for the same arithmetic and colours."""
        return {
            **resolved_of(self.estimator),
            "max_flow": self.colours.scale.max_flow,
            "gamma": self.colours.scale.gamma,
        }

    @property
    def drawn(self) -> ColourScale | None:
        """The colour scale of all pictures; None without any, or if each has its own."""
        pictures = any(isinstance(output.kind, Picture) for output in self.task.outputs)
        return self.colours.constant if pictures else None

    @property
    def settings(self) -> dict[str, object]:
        """The resolved settings, for the report."""
        size = (self.meta.width, self.meta.height)
        return settings_record(self.task.request, self.estimator, size=size, scale=self.colours.constant)

    def write_pairs(
        self, pairs: Iterator[FramePair], outputs: Sequence[Output], interruption: Interruption, *, memory: Memory
    ) -> Segment:
        """Computes pairs and writes them to `outputs`; after a signal the returned segment is not `complete`."""
        return self.write(self.estimator.estimate(pairs, memory=memory), outputs, interruption)

    def write(self, estimates: Iterator[Estimate], outputs: Sequence[Output], interruption: Interruption) -> Segment:
        """Writes estimates to `outputs`; after a signal the returned segment is not `complete`."""
        request, meta = self.task.request, self.meta
        opened = partial(
            open_writers,
            outputs,
            style=Style(self.colours.scale, request.legend, request.stabilise, request.arrow_grid, request.arrow_min),
            encoding=self.task.encoding,
            rate=pairing_of(request).rate_of(meta),
            tick=meta.tick,
            pixel_aspect=meta.pixel_aspect,
        )
        estimates = self.colours.scaled(with_repeated(estimates))
        return write_estimates(estimates, lambda: [*opened(), *self.watchers], interruption)

    def write_segments(self, pairs: Iterator[FramePair], journal: Journal) -> None:
        """Computes the remaining pairs segment by segment and joins the outputs.

        Raises StoppedError after a signal and SourceError if the source has no pair.
        """
        memory = journal.memory(self.estimator.device)
        with Interruption() as interruption, self.kept(journal):
            for segment in interruption.until_stopped(in_segments(pairs, length=self.task.request.segment)):
                memory.forget_frames()
                parts = [part_of(journal.folder, output, len(journal.closed)) for output in self.task.all_outputs]
                written = self.write_pairs(segment, parts, interruption, memory=memory)
                if not written.complete:
                    raise self.stopped(interruption.number, journal, written)
                journal.close_segment(written, memory)
            # A generator that was interrupted has ended, although pairs remain.
            if interruption.number and (interruption.cut_short or next(pairs, None) is not None):
                raise self.stopped(interruption.number, journal, Segment())
            self.join(journal)

    @contextmanager
    def kept(self, journal: Journal) -> Iterator[None]:
        """Keeps the journal if the block leaves numbered files, so that a run that fails or stops can be resumed."""
        try:
            yield
        finally:
            journal.kept |= any(output.numbered and output.existing() for output in self.task.all_outputs)

    def stopped(self, number: int | None, journal: Journal, unfinished: Segment) -> StoppedError:
        """The error of a stopped run; joins the finished part of each output under a partial name."""
        kept = []
        for output in self.task.outputs:
            if output.numbered:
                kept.append(output.path if output.existing() else None)
                continue
            parts = journal.parts(output)
            if unfinished.stamps:
                path = part_of(journal.folder, output, len(journal.closed)).path
                parts.append(Part(partial_name(path), unfinished.stamps[0].own_time))
            kept.append(join_parts(output, parts, partial=True, audio=self.audio))
        there = [str(path) for path in kept if path]
        journal.kept |= bool(there)
        hint = f"finished flow is in {', '.join(there)}; --resume continues" if there else "no flow was finished"
        return StoppedError(number or 0, hint=hint)

    def join(self, journal: Journal) -> None:
        """Joins the segments of every output; raises SourceError if they hold no pair, OutputError if files went."""
        stamps = journal.done.stamps
        if not stamps:
            raise pairing_of(self.task.request).too_short(self.task.path)
        if gone := missing_files(self.task.outputs, stamps):
            raise OutputError(f"{gone[0]} was written, and is gone", hint="-y computes everything again")
        for output in self.task.all_outputs:
            if output.numbered:
                remove_stale(output, {output.stem_of(stamp) for stamp in stamps})
            else:
                join_parts(output, journal.parts(output), audio=self.audio)

    def conclude(self, command: str, done: Segment, *, source: Source | None = None) -> Result:
        """Writes the report and returns the result of the run.

        A `source` adds its start time, notes and lost frames to those of the segments.
        """
        notes = tuple(dict.fromkeys([*(source.notes if source else ()), *done.notes, *self.estimator.notes]))
        error = mean_error(done.errors)
        report = Report(
            command=command,
            inputs=self.task.request.inputs,
            size=(self.meta.width, self.meta.height),
            weights=self.task.weights,
            job=self.task.job,
            settings=self.settings,
            pairs=done.stamps,
            outputs=self.task.paths,
            seconds=done.seconds,
            start=source.meta.start if source else Fraction(0),
            notes=notes,
            lost_frames=done.lost + (source.lost if source else 0),
            input_changed=self.task.content.changed(),
            photometric_error=error,
            levels=self.meta.levels,
        ).json()
        write_whole(self.task.report, report.text().encode())
        problem = problem_of(report.content, self.task.path)
        return Result(self.task.paths, summary(done, error, self.drawn), report, problem, notes)


def summary(done: Segment, error: tuple[float, float] | None, scale: ColourScale | None) -> str:
    """One line: the number of flows, the time, the colour scale, and the photometric error before and after warping."""
    count = len(done.stamps)
    line = f"{count} flow{'s' * (count != 1)} in {done.seconds:.1f} s"
    if scale:
        line += f"; {scale}"
    if error:
        before, after = error
        line += f"; mean photometric error {before:.1f} grey levels, {after:.1f} after warping by the flow"
    return line


@contextmanager
def removing_empty_folders(outputs: Sequence[Output]) -> Iterator[None]:
    """Removes the folders that the block creates for outputs and leaves empty."""
    made = missing_folders(outputs)
    try:
        yield
    finally:
        remove_empty(made)
