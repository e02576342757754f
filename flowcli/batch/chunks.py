"""Divides a long video into chunks of `--split` pairs, which start cold and can be computed by several workers.

A chunk is a segment of the video's journal. `start_chunks` resolves the settings that all chunks share, such as the
colour scale; `join_chunks` joins the journal as in any run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING

from flowcli.errors import UsageError
from flowcli.media.pairs import pairs_of
from flowcli.media.selection import parse_moment
from flowcli.model.memory import Memory
from flowcli.pipeline.segments import Segment, folder_of, is_closed, part_of, read_manifest, write_segment
from flowcli.pipeline.settings import pairing_of
from flowcli.pipeline.video import open_run, run_of, source_of
from flowcli.system.signals import Interruption, StoppedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowcli.media.frames import Frame
    from flowcli.media.sources import Source
    from flowcli.pipeline.request import Request
    from flowcli.pipeline.task import Task
    from flowcli.system.console import Console, Result
    from raft_core.raft import RAFT


@dataclass(frozen=True)
class Chunk:
    """One of `count` chunks of a video; `number` counts from 0."""

    number: int
    count: int

    def first_frame(self, request: Request) -> int:
        """The index of its first frame among the selected frames."""
        return self.number * (request.split or 0) * (1 if request.sliding else request.skip)

    def request(self, request: Request) -> Request:
        """The request for its frames alone; the last chunk takes all remaining ones, whose count may be an estimate."""
        begin, pairs = self.first_frame(request), request.split or 0
        limits = [] if request.max_frames is None else [request.max_frames - begin]
        if self.number + 1 < self.count:
            limits.append(pairs + request.skip if request.sliding else pairs * request.skip + 1)
        start = first_frame(request) + begin
        return replace(request, start=f"#{start}", max_frames=min(limits, default=None))


def first_frame(request: Request) -> int:
    """The index of the frame that --start names, 0 by default.

    Raises UsageError if --start is a time, and for options by which chunks do not begin at known frames.
    """
    others = {
        "--pad-last": request.pad_last,
        "--sample-fps": request.sample_fps is not None,
        "--reference": request.reference is not None,
    }
    if any(others.values()):
        option = next(name for name, given in others.items() if given)
        raise UsageError(f"--split cannot be combined with {option}", hint="leave one of them out")
    start = parse_moment(request.start or "#0", "--start")
    if start.frame is None:
        raise UsageError(f"--split needs --start as a frame, not {start} s", hint="such as --start '#1800'")
    return start.frame


def count_chunks(source: Source, request: Request) -> int:
    """The number of chunks of a source; 1 without --split, and if the number of frames is unknown."""
    pairs = pairing_of(request).pairs_of(source.meta)
    return 1 if request.split is None or pairs is None else max(1, -(-pairs // request.split))


def start_chunks(task: Task, source: Source, console: Console, *, model: RAFT) -> None:
    """Starts the journal of a clip in chunks, with the resolved settings that they share, or keeps an earlier one.

    Raises UsageError if --start is a time.
    """
    first_frame(task.request)
    with open_run(task, source, console, model=model) as (_, journal):
        journal.manifest["start"] = str(source.meta.start)
        journal.begin(journal.resolved or {})
        journal.kept = True


def compute_chunk(task: Task, chunk: Chunk, *, model: RAFT) -> int:
    """Computes one chunk unless it is closed already; returns the number of flows computed.

    Raises StoppedError after a signal.
    """
    folder = folder_of(task.journal, chunk.number)
    manifest = read_manifest(task.journal)
    if manifest is None or is_closed(folder):
        return 0
    try:
        source = source_of(chunk.request(task.request))
    except UsageError:
        if not chunk.number:
            raise
        # The container states more frames than it has.
        write_segment(folder, Segment(), last=None)
        return 0
    with source, Interruption() as interruption:
        run = run_of(task, source, resolved=manifest["resolved"], model=model)
        offset = source.meta.start - Fraction(manifest["start"])
        frames = moved(source.frames(), by=chunk.first_frame(task.request), later=offset)
        pairs = pairs_of(frames, pairing_of(task.request))
        first = next(pairs, None)
        if first is None:
            write_segment(folder, Segment(lost=source.lost), last=None)
            return 0
        memory = Memory()
        parts = [part_of(task.journal, output, chunk.number) for output in task.all_outputs]
        written = run.write_pairs(chain([first], pairs), parts, interruption, memory=memory)
        if not written.complete:
            raise StoppedError(interruption.number or 0, hint="run it again to continue")
        notes = (*source.notes, *run.estimator.notes)
        write_segment(folder, replace(written, lost=source.lost, notes=notes), last=memory.last)
    return len(written.stamps)


def moved(frames: Iterator[Frame], *, by: int, later: Fraction) -> Iterator[Frame]:
    """The frames of a chunk with the indices and times that they have in the whole video."""
    for frame in frames:
        yield replace(
            frame,
            index=frame.index + by,
            time=frame.time + later,
            skipped=None if frame.skipped is None else frame.skipped - by,
            start=frame.start - later,
        )


def join_chunks(task: Task, source: Source, console: Console, *, model: RAFT) -> Result:
    """Joins the outputs of all chunks and writes the report."""
    with open_run(task, source, console, model=model) as (run, journal):
        run.join(journal)
        result = run.conclude("video", journal.done, source=source)
        journal.remove()
    return result
