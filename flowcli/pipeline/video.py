"""The order of things in one run: check, load, estimate, write, report."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

from flowcli.errors import UsageError
from flowcli.flow.outputs import FILM, check_outputs, choose, open_sinks
from flowcli.media.cuts import number_shots
from flowcli.media.frames import FramePair, Sound
from flowcli.media.pairs import expected_pairs, pair_up
from flowcli.media.pyav import has_sound
from flowcli.media.selection import parse_rate, parse_selection
from flowcli.media.sources import comes_once, open_source
from flowcli.pipeline.request import Request
from flowcli.pipeline.run import Run, created
from flowcli.pipeline.segments import Journal, check_journal
from flowcli.pipeline.task import Task
from flowcli.system.console import Result
from flowcli.system.threads import prefetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from flowcli.flow.outputs import Output, Sink
    from flowcli.media.sources import Source
    from flowcli.system.console import Console
    from raft_core.raft import RAFT


def estimate_video(request: Request, console: Console) -> Result:
    """Computes and writes the flow of a video or an image folder."""
    choose(request.save)
    with opened_source(request) as source:
        return estimate_source(source, request, console)


def opened_source(request: Request) -> Source:
    """The frames that were asked for."""
    selection = parse_selection(request.start, request.end, request.max_frames)
    rate = parse_rate(request.fps)
    if request.resume and comes_once(request.inputs[0]):
        raise UsageError("what comes through a pipe cannot be resumed", hint="save it to a file first")
    return open_source(request.inputs[0], rate=rate, selection=selection, deinterlace=request.deinterlace)


def estimate_source(
    source: Source, request: Request, console: Console, *watchers: Sink, model: RAFT | None = None
) -> Result:
    """Computes and writes the flow of a source, segment by segment; `watchers` see every estimate too.

    A `model` is that of the weights asked for, loaded before.
    """
    return carry_out(Task.of(request), source, console, *watchers, model=model)


def carry_out(task: Task, source: Source, console: Console, *watchers: Sink, model: RAFT | None = None) -> Result:
    """Computes and writes what a task asks for of its source; see `estimate_source`."""
    if task.request.resume and (finished := task.finished()):
        return finished
    with under_way(task, source, console, model=model) as (run, journal):
        pairs = left_to_do(source, task.request, console, journal)
        run.write_segments(pairs, journal, opener(source, run, watchers))
        result = run.conclude("video", journal.done, job=task.job, source=source)
        journal.remove()
    return result


@contextmanager
def under_way(
    task: Task, source: Source, console: Console, *, model: RAFT | None = None
) -> Iterator[tuple[Run, Journal]]:
    """A run that can compute, new or taken up again, and its journal, which is kept to this process meanwhile."""
    request, outputs = task.request, task.outputs
    going_on = check_journal(task.journal, task.job, resume=request.resume, overwrite=request.overwrite)
    check_outputs(outputs, request.inputs, overwrite=request.overwrite or going_on)
    with created(task.all_outputs), Journal.open(task.journal, task.job, resume=going_on) as journal:
        size = (source.meta.width, source.meta.height)
        run = Run(request, task.all_outputs, task.weights, size, resolved=journal.resolved, model=model)
        run.tell_how(console)
        run.sound = sound_to_copy(source, request, outputs, console)
        run.scale = run.scale or run.video_scale(source)
        journal.begin(run.resolved())
        yield run, journal


def left_to_do(source: Source, request: Request, console: Console, journal: Journal) -> Iterator[FramePair]:
    """The pairs that no closed segment holds; the others are decoded too, so that cuts and gaps are the same."""
    pairs = pair_up(prefetch(number_shots(source.frames())), skip=request.skip, sliding=request.sliding)
    done = len(journal.done.stamps)
    total = expected_pairs(source.meta.frame_count, skip=request.skip, sliding=request.sliding)
    return console.follow(islice(pairs, done, None), total=None if total is None else total - done, unit="pair")


def opener(source: Source, run: Run, watchers: Sequence[Sink] = ()) -> Callable[[Sequence[Output]], Sequence[Sink]]:
    """Opens sinks for a source's pairs, in a run's style, with the watchers beside them."""
    rate = source.meta.rate / (1 if run.request.sliding else run.request.skip)
    tick = source.meta.tick
    return lambda outputs: [
        *open_sinks(
            outputs,
            style=run.style,
            encoding=run.encoding,
            rate=rate,
            tick=tick,
            pixel_aspect=source.meta.pixel_aspect,
        ),
        *watchers,
    ]


def sound_to_copy(source: Source, request: Request, outputs: Sequence[Output], console: Console) -> Sound | None:
    """The sound that goes into the videos, where that is asked for and there is any."""
    films = [output.path.suffix.lower() for output in outputs if output.naming.film == FILM]
    if not request.audio or not films:
        return None
    sound = source.meta.sound
    if sound is None or not all(has_sound(sound, film) for film in films):
        console.say(f"{source.meta.name} has no sound to copy")
        return None
    return sound
