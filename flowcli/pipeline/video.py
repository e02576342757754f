"""Computes and writes the flow of a video."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

from flowcli.errors import UsageError
from flowcli.flow.outputs import MP4, check_outputs
from flowcli.media.decoding import Decoding
from flowcli.media.levels import parse_levels
from flowcli.media.pairs import pairs_in
from flowcli.media.pyav import has_audio
from flowcli.media.selection import parse_rate, parse_selection
from flowcli.media.sources import is_pipe, open_pair, open_source
from flowcli.pipeline.colour_scale import colours_of, sampled_speeds
from flowcli.pipeline.run import Run, removing_empty_folders
from flowcli.pipeline.segments import Journal, check_journal
from flowcli.pipeline.settings import estimator_of, fix_settings, pairing_of
from flowcli.system.files import PartFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from flowcli.flow.outputs import OutputWriter
    from flowcli.media.frames import Audio, FramePair
    from flowcli.media.sources import Source
    from flowcli.pipeline.request import Request
    from flowcli.pipeline.task import Task
    from flowcli.system.console import Console, Result
    from raft_core.raft import RAFT


def estimate_video(
    task: Task,
    console: Console,
    *,
    source: Source | None = None,
    watchers: Sequence[OutputWriter] = (),
    model: RAFT | None = None,
) -> Result:
    """Computes the flow of a video or image folder and writes the outputs and report of its task.

    `source` replaces the task's input; `watchers` receive every estimate; `model` is the model of the task's weights
    if it is already loaded. Raises SourceError if there is no pair, StoppedError after a signal.
    """
    if task.request.resume and (finished := task.finished()):
        return finished
    with (
        source or source_of(task.request) as frames,
        open_run(task, frames, console, watchers=watchers, model=model) as (run, journal),
    ):
        run.write_segments(pairs_left(frames, task.request, console, journal), journal)
        result = run.conclude("video" if len(task.request.inputs) == 1 else "pair", journal.done, source=frames)
        journal.remove()
    return result


def source_of(request: Request) -> Source:
    """Opens the input of a request with its selection of frames, or its two images as a video of two frames.

    Raises UsageError for invalid options, SourceError if the input cannot be read.
    """
    selection = parse_selection(request.start, request.end, request.max_frames)
    rate = parse_rate(request.fps)
    if is_pipe(request.inputs[0]) and (request.resume or request.reference is not None):
        done = "resumed" if request.resume else "read twice, as --reference does"
        raise UsageError(f"input from a pipe cannot be {done}", hint="save it to a file first")
    decoding = Decoding(request.deinterlace, parse_levels(request.levels), request.video_stream)
    if len(request.inputs) == 2:
        return open_pair(*request.inputs, rate=rate, decoding=decoding)
    return open_source(request.inputs[0], rate=rate, selection=selection, decoding=decoding)


@contextmanager
def open_run(
    task: Task, source: Source, console: Console, *, watchers: Sequence[OutputWriter] = (), model: RAFT | None = None
) -> Iterator[tuple[Run, Journal]]:
    """A run ready to compute, new or resumed, and its journal, locked by this process for the block.

    Raises UsageError if outputs exist and must not be overwritten, and for an unfinished run of another job.
    """
    request, task = task.request, task.of_images(source.meta.names)
    resumes = check_journal(task.journal, task.job, resume=request.resume, overwrite=request.overwrite)
    check_outputs(task.outputs, request.inputs, overwrite=request.overwrite or resumes)
    with removing_empty_folders(task.all_outputs), Journal.open(task.journal, task.job, resume=resumes) as journal:
        # Fails before anything is computed if the report cannot be written.
        PartFile(task.report).discard()
        run = run_of(
            task,
            source,
            resolved=journal.resolved,
            audio=audio_to_copy(source, task, console),
            watchers=watchers,
            model=model,
        )
        run.detail(console)
        journal.begin(run.resolved)
        yield run, journal


def run_of(
    task: Task,
    source: Source,
    *,
    resolved: Mapping[str, Any] | None,
    audio: Audio | None = None,
    watchers: Sequence[OutputWriter] = (),
    model: RAFT | None = None,
) -> Run:
    """A run for the frames of a source; settings and colour scale that an earlier process `resolved` are kept."""
    request, meta = task.request, source.meta
    estimator = estimator_of(request, task.weights, saved=task.saved, model=model)
    fix_settings(estimator, (meta.width, meta.height), resolved)
    colours = colours_of(
        request,
        task.all_outputs,
        sampled=lambda: sampled_speeds(
            source, estimator, skip=pairing_of(request).frames_apart(meta), stabilise=request.stabilise
        ),
        seekable=meta.seekable,
        resolved=resolved,
    )
    return Run(task, meta, estimator, colours, audio, watchers)


def pairs_left(source: Source, request: Request, console: Console, journal: Journal) -> Iterator[FramePair]:
    """The pairs after those of the closed segments, which are decoded again so that cuts and gaps are the same."""
    pairing = pairing_of(request)
    pairs = pairs_in(source, pairing)
    done = sum(not stamp.repeated for stamp in journal.done.stamps)
    total = pairing.pairs_of(source.meta)
    return console.follow(islice(pairs, done, None), total=None if total is None else total - done, unit="pair")


def audio_to_copy(source: Source, task: Task, console: Console) -> Audio | None:
    """The audio of the source, if it is requested, videos are written and their containers can hold it; else None."""
    videos = [output.path.suffix.lower() for output in task.outputs if output.naming.video == MP4]
    if not task.request.audio or not videos:
        return None
    audio = source.meta.audio
    if audio is None or not all(has_audio(audio, video) for video in videos):
        console.say(f"{source.meta.name} has no audio to copy")
        return None
    return audio
