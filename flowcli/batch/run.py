"""Runs a batch: computes every clip, records failures without stopping, and continues an earlier run."""

from __future__ import annotations

import time
from collections import deque
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from flowcli.batch.chunks import Chunk, first_frame
from flowcli.batch.engines import EngineOptions, computed
from flowcli.batch.motion import MotionRow, rows_of
from flowcli.batch.record import Batch, Outcome, read_outcomes
from flowcli.batch.report import page
from flowcli.batch.table import TableOptions, write_table
from flowcli.batch.work import Chunked, Work, state_of, works_of
from flowcli.errors import UsageError
from flowcli.flow.colour import parse_mode, parse_scale, plain_scale
from flowcli.media.selection import parse_rate, parse_selection
from flowcli.model.device import choose_device
from flowcli.model.weights import find
from flowcli.pipeline.settings import effort_of, pairing_of, resolve
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

SECONDS_BETWEEN_WRITES = 1.0
"""The minimum time between writes of batch.json. A clip missing from it after a kill has its own report."""


def run_batch(
    clips: Sequence[Clip],
    request: Request,
    folder: Path,
    *,
    console: Console,
    engine: EngineOptions | None = None,
    shard: str = "1/1",
    retry_failed: bool = False,
    report: bool = False,
    table: TableOptions | None = None,
) -> Batch:
    """Computes every clip into the same relative path below `folder`, and records the outcomes in batch.json there.

    `console` shows the number of clips done and the progress within the clip that this process computes. `clips` are
    those of one `shard` of a job array, which has a record of its own. A clip that is done is checked and skipped; a
    failed one is skipped unless its content or options changed, or `retry_failed`. `report` writes report.html too,
    and `table` the tables of motion, motion.csv or another format, of clips that save stats.

    Raises UsageError for invalid options and if another run holds the folder, StoppedError after a signal.
    """
    suffix = "" if shard == "1/1" else f"-{shard.replace('/', '-of-')}"
    engine = engine or EngineOptions()
    check_request(request, engine)
    lock = Lock(folder / f".batch{suffix}")
    try:
        record = BatchRecord(folder / f"batch{suffix}.json", clips)
        weights = find(request.weights)
        all_works = works_of(clips, request, folder, weights=weights)
        works = deque(work for work in all_works if retry_failed or record.is_open(work))
        results = computed(works, engine, weights=weights, device=request.device, console=console)
        done = whole_clips(results, works)
        record_outcomes(done, record, total=len(works), console=console)
        place = folder / f"report{suffix}.html" if report else None
        if place:
            write_whole(place, page(record.batch, folder).encode())
        write_tables(record.batch, folder, suffix, table or TableOptions())
        return replace(record.batch, report=place)
    finally:
        lock.release()


def write_tables(batch: Batch, folder: Path, suffix: str, options: TableOptions) -> None:
    """Writes the motion of every clip, and of every pair if that is wanted, in each of the formats."""
    for each_pair in (False, True)[: 1 + options.each_pair]:
        for name in options.formats:
            path = folder / f"motion{'_pairs' * each_pair}{suffix}.{name}"
            write_table(path, rows_of(batch, folder, each_pair=each_pair), MotionRow)


def record_outcomes(
    done: Generator[tuple[Work, Outcome]], record: BatchRecord, *, total: int, console: Console
) -> None:
    """Records the outcome of every clip; raises StoppedError after a signal, with the number of clips done."""
    try:
        with record, closing(done):
            for work, outcome in console.follow(done, total=total, unit="clip"):
                record.note(work.clip, outcome)
                if outcome.error:
                    console.detail(f"{outcome.clip}: {outcome.error}")
    except (Stop, StoppedError) as stop:
        so_far = f"{record.batch.counts['done']} of {len(record.batch.clips)} clips are done"
        raise StoppedError(stop.number, hint=f"{so_far}; run the same command again to continue") from stop


def check_request(request: Request, engine: EngineOptions) -> None:
    """Raises the errors that every clip would raise, before any file is written."""
    engine.check()
    saved = [output.name for output in Task.of(replace(request, output=None)).outputs]
    device = choose_device("cpu" if engine.name == "ray" else request.device)
    effort_of(request).applied_to(resolve(request, saved=saved), device, stated={})
    parse_selection(request.start, request.end, request.max_frames)
    parse_rate(request.fps)
    pairing_of(request)
    parse_scale(request.max_flow, plain_scale(request.gamma, request.background, request.wheel))
    parse_mode(request.scale_mode, request.max_flow)
    if request.split:
        first_frame(request)


class BatchRecord:
    """Keeps batch.json up to date with the outcomes of clips; as a context manager, writes it at the end."""

    def __init__(self, path: Path, clips: Sequence[Clip]) -> None:
        self._path = path
        self._clips = clips
        earlier = read_outcomes(path)
        self._outcomes = {clip.key: earlier[clip.key] for clip in clips if clip.key in earlier}
        self._started = self._written = time.monotonic()

    @property
    def batch(self) -> Batch:
        """The clips and their outcomes so far."""
        return Batch(self._path, self._clips, self._outcomes, time.monotonic() - self._started)

    def is_open(self, work: Work) -> bool:
        """Whether a clip is to be processed: always, unless it failed with the same content and options."""
        earlier = self._outcomes.get(work.clip.key)
        if earlier is None or earlier.status == "done":
            return True
        return (earlier.asked, earlier.fingerprint) != (work.asked, state_of(work.clip))

    def note(self, clip: Clip, outcome: Outcome) -> None:
        """Adds an outcome; one that equals an earlier one except for its time keeps the earlier time."""
        earlier = self._outcomes.get(clip.key)
        if not earlier or replace(outcome, seconds=earlier.seconds) != earlier:
            self._outcomes[clip.key] = outcome
        if time.monotonic() - self._written >= SECONDS_BETWEEN_WRITES:
            self.write()

    def write(self) -> None:
        """Writes batch.json."""
        write_whole(self._path, self.batch.text().encode())
        self._written = time.monotonic()

    def __enter__(self) -> None:
        """Starts the block at whose end the record is written, even if it raises."""

    def __exit__(self, *_: object) -> None:
        self.write()


def shard_of(clips: Sequence[Clip], shard: str) -> list[Clip]:
    """Every n-th clip, starting with the i-th, for the shard `i/n`; raises UsageError for anything else."""
    number, _, count = shard.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise UsageError(f"--shard {shard} is not a shard", hint="the second of four is 2/4")
    return list(clips[int(number) - 1 :: int(count)])


def whole_clips(done: Generator[tuple[Work, Outcome | Chunked]], works: deque[Work]) -> Generator[tuple[Work, Outcome]]:
    """Every clip with its outcome; adds to `works` the chunks of a clip, and its join after the last of them."""
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
