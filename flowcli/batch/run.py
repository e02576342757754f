"""Many clips with one model: failures stop no other clip, and running again goes on where it stopped."""

from __future__ import annotations

import time
from collections import deque
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from flowcli.batch.chunks import Chunk, first_frame
from flowcli.batch.engines import EngineOptions, computed
from flowcli.batch.record import Batch, Outcome, read_outcomes
from flowcli.batch.report import page
from flowcli.batch.work import Chunked, Work, state_of
from flowcli.errors import UsageError
from flowcli.flow.colour import parse_mode, parse_scale
from flowcli.media.selection import parse_rate, parse_selection
from flowcli.model.device import choose_device
from flowcli.pipeline.settings import resolve
from flowcli.pipeline.task import Task
from flowcli.system.files import write_whole
from flowcli.system.lock import Lock
from flowcli.system.signals import Stop, StoppedError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from flowcli.batch.clips import Clip
    from flowcli.pipeline.request import Request
    from flowcli.system.console import Console

SECONDS_BETWEEN_NOTES = 1.0
"""What is noted later than it is done costs a look at the clip's own report, should this process be killed."""


def run_batch(
    clips: Sequence[Clip],
    request: Request,
    folder: Path,
    *,
    console: Console,
    silent: Console,
    engine: EngineOptions | None = None,
    shard: str = "1/1",
    retry_failed: bool = False,
    report: bool = False,
) -> Batch:
    """Computes every clip into its place below `folder`, and keeps batch.json there up to date.

    `console` shows how many clips are done, `silent` is what each clip tells of its own progress. The clips are the
    `shard` of a job array, which has a record of its own.

    A clip that an earlier run finished is verified and skipped; one that failed is left alone unless it or its options
    have changed, or `retry_failed`. `report` writes the page of all clips too. Raises UsageError where another run
    writes to the folder.
    """
    of_share = "" if shard == "1/1" else f"-{shard.replace('/', '-of-')}"
    engine = engine or EngineOptions()
    refuse_what_fails_alike(request, engine)
    lock = Lock(folder / f".batch{of_share}")
    try:
        record = BatchRecord(folder / f"batch{of_share}.json", clips)
        all_works = [Work(clip, request, folder, silent) for clip in clips]
        works = deque(work for work in all_works if retry_failed or record.is_open(work))
        done = whole_clips(computed(works, engine, weights=request.weights, device=request.device), works)
        note_all(done, record, total=len(works), console=console)
        if report:
            write_whole(folder / f"report{of_share}.html", page(record.batch, folder).encode())
        return record.batch
    finally:
        lock.release()


def note_all(done: Generator[tuple[Work, Outcome]], record: BatchRecord, *, total: int, console: Console) -> None:
    """Follows the work to its end; raises StoppedError, with how far it came, where a signal ends it earlier."""
    try:
        with record, closing(done):
            for work, outcome in console.follow(done, total=total, unit="clip"):
                record.note(work.clip, outcome)
                if outcome.error:
                    console.detail(f"{outcome.clip}: {outcome.error}")
    except (Stop, StoppedError) as stop:
        so_far = f"{record.batch.counts['done']} of {len(record.batch.clips)} clips are done"
        raise StoppedError(stop.number, hint=f"{so_far}; the same line again goes on") from stop


def refuse_what_fails_alike(request: Request, engine: EngineOptions) -> None:
    """Raises what would fail with every clip, before anything is touched."""
    engine.check()
    sinks = [output.name for output in Task.of(replace(request, output=None)).outputs]
    device = choose_device("cpu" if engine.name == "ray" else request.device)
    resolve(request, device=device, sinks=sinks)
    parse_selection(request.start, request.end, request.max_frames)
    parse_rate(request.fps)
    parse_scale(request.max_flow, gamma=request.gamma, background=request.background)
    parse_mode(request.scale_mode, request.max_flow)
    if request.split:
        first_frame(request)


class BatchRecord:
    """What became of each clip, on disk soon after it did."""

    def __init__(self, path: Path, clips: Sequence[Clip]) -> None:
        self._path = path
        self._clips = clips
        earlier = read_outcomes(path)
        self._outcomes = {clip.key: earlier[clip.key] for clip in clips if clip.key in earlier}
        self._started = self._written = time.monotonic()

    @property
    def batch(self) -> Batch:
        """All that is known so far."""
        return Batch(self._path, self._clips, self._outcomes, time.monotonic() - self._started)

    def is_open(self, work: Work) -> bool:
        """Whether there is something to do: a clip that failed as it is now, with the same options, will fail again."""
        earlier = self._outcomes.get(work.clip.key)
        if earlier is None or earlier.status == "done":
            return True
        return (earlier.asked, earlier.fingerprint) != (work.asked, state_of(work.clip.path))

    def note(self, clip: Clip, outcome: Outcome) -> None:
        """Adds an outcome; one that was known and was found to be so keeps the time that it took then."""
        earlier = self._outcomes.get(clip.key)
        if not earlier or replace(outcome, seconds=earlier.seconds) != earlier:
            self._outcomes[clip.key] = outcome
        if time.monotonic() - self._written >= SECONDS_BETWEEN_NOTES:
            self.write()

    def write(self) -> None:
        """Puts it on the disk."""
        write_whole(self._path, self.batch.text().encode())
        self._written = time.monotonic()

    def __enter__(self) -> None:
        """Writes in any case when the block ends."""

    def __exit__(self, *_: object) -> None:
        self.write()


def share(clips: Sequence[Clip], shard: str) -> list[Clip]:
    """Every n-th clip from the i-th on, for `i/n`; raises UsageError for anything else."""
    number, _, count = shard.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise UsageError(f"--shard {shard} is no share", hint="the second of four is 2/4")
    return list(clips[int(number) - 1 :: int(count)])


def whole_clips(done: Generator[tuple[Work, Outcome | Chunked]], works: deque[Work]) -> Generator[tuple[Work, Outcome]]:
    """Every clip with its outcome; where one has begun in chunks, they are added to the works, and then its end."""
    left: dict[str, int] = {}
    failed: dict[str, Outcome] = {}
    with closing(done):
        for work, result in done:
            key = work.clip.key
            if isinstance(result, Chunked):
                left[key] = result.chunks
                chunks = [replace(work, chunk=Chunk(number, result.chunks)) for number in range(result.chunks)]
                works.extendleft(reversed(chunks))
                continue
            if work.chunk is None:
                yield work, result
                continue
            left[key] -= 1
            if result.error:
                failed.setdefault(key, result)
            if not left[key] and key in failed:
                yield work, failed[key]
            elif not left[key]:
                works.appendleft(replace(work, chunk=None, joins=True))
