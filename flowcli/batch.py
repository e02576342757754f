"""Many clips with one model: failures stop no other clip, and running again goes on where it stopped."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from flowcli.errors import FlowcliError, PartialError, UsageError
from flowcli.interruption import StoppedError
from flowcli.json_text import json_text
from flowcli.lock import Lock
from flowcli.partfile import reported, write_whole
from flowcli.pipeline import estimate_source, opened_source
from flowcli.weights import find, load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from flowcli.console import Console
    from flowcli.discovery import Clip
    from flowcli.request import Request
    from raft_core.raft import RAFT

FAILURES_SHOWN = 50


@dataclass(frozen=True)
class Outcome:
    """What became of a clip: `status` is done, partial or failed; `error` and `hint` say why not done."""

    clip: str
    status: str
    flows: int
    seconds: float
    error: str | None = None
    hint: str | None = None


@dataclass(frozen=True)
class Batch:
    """The clips of one run, and what became of each so far, by key."""

    clips: Sequence[Clip]
    outcomes: Mapping[str, Outcome]
    seconds: float

    def rows(self) -> list[list[str]]:
        """The totals, and what failed with its reason."""
        failed = [outcome for outcome in self.outcomes.values() if outcome.status != "done"]
        rows = [["clip", "status", "flows", "seconds", "reason"]]
        for outcome in failed[:FAILURES_SHOWN]:
            rows.append(
                [outcome.clip, outcome.status, str(outcome.flows), f"{outcome.seconds:.1f}", outcome.error or ""]
            )
        if len(failed) > FAILURES_SHOWN:
            rows.append([f"and {len(failed) - FAILURES_SHOWN} more", "", "", "", "see batch.json"])
        counts = Counter(outcome.status for outcome in self.outcomes.values())
        flows = sum(outcome.flows for outcome in self.outcomes.values())
        total = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
        return [*rows, [f"{len(self.clips)} clips", total, str(flows), f"{self.seconds:.1f}", ""]]

    def text(self) -> str:
        """As JSON: what batch.json holds."""
        counts = Counter(outcome.status for outcome in self.outcomes.values())
        return json_text(
            {
                "clips": len(self.clips),
                "counts": dict(counts),
                "flows": sum(outcome.flows for outcome in self.outcomes.values()),
                "seconds": round(self.seconds, 3),
                "items": [asdict(self.outcomes[clip.key]) for clip in self.clips if clip.key in self.outcomes],
            }
        )


def run_batch(
    clips: Sequence[Clip],
    request: Request,
    folder: Path,
    *,
    console: Console,
    silent: Console,
    shard: str = "1/1",
    retry_failed: bool = False,
) -> Batch:
    """Computes every clip into its place below `folder`, and keeps batch.json there up to date.

    `console` shows how many clips are done; `silent` is what each clip tells of its own progress.

    A clip that an earlier run finished is verified and skipped, one that failed is left alone unless `retry_failed`.
    Raises UsageError where another run writes to the folder, PartialError once all is done where some clips failed.
    """
    record = folder / ("batch.json" if shard == "1/1" else f"batch-{shard.replace('/', '-of-')}.json")
    chosen = share(clips, shard)
    lock = Lock(folder / f".{record.stem}")
    started = time.monotonic()
    try:
        before = outcomes_in(record)
        model = load(find(request.weights))
        outcomes = {clip.key: before[clip.key] for clip in chosen if clip.key in before}
        for clip in console.follow(chosen, total=len(chosen), unit="clip"):
            earlier = outcomes.get(clip.key)
            if earlier is None or earlier.status == "done" or retry_failed:
                outcomes[clip.key] = verified(earlier, estimate_clip(clip, request, folder, model, silent))
                batch = Batch(chosen, outcomes, time.monotonic() - started)
                write_whole(record, batch.text().encode())
        return Batch(chosen, outcomes, time.monotonic() - started)
    finally:
        lock.release()


def verified(earlier: Outcome | None, now: Outcome) -> Outcome:
    """The earlier outcome where the clip was found finished, with the time it then took; else the new one."""
    return earlier if earlier is not None and now.status == earlier.status == "done" else now


def estimate_clip(clip: Clip, request: Request, folder: Path, model: RAFT, console: Console) -> Outcome:
    """Computes one clip; whatever goes wrong with it becomes its outcome, but for a signal to stop."""
    started = time.monotonic()
    own = replace(request, inputs=(clip.path,), output=folder / clip.folder, name=clip.name, resume=True)
    flows = 0
    problem: FlowcliError | None = None
    try:
        with reported(folder / clip.folder):
            # A folder that is there is an output folder, whatever its name looks like.
            (folder / clip.folder).mkdir(parents=True, exist_ok=True)
        with opened_source(own) as source:
            result = estimate_source(source, own, console, model=model)
        flows, problem = json.loads(result.report)["flows"], result.problem
    except StoppedError:
        raise
    except FlowcliError as error:
        problem = error
    except Exception as error:
        problem = FlowcliError(f"a bug in flowcli: {type(error).__name__}: {error}", hint="please report it")
    seconds = round(time.monotonic() - started, 3)
    if problem is None:
        return Outcome(clip.key, "done", flows, seconds)
    status = "partial" if isinstance(problem, PartialError) else "failed"
    return Outcome(clip.key, status, flows, seconds, str(problem), problem.hint)


def share(clips: Sequence[Clip], shard: str) -> list[Clip]:
    """Every n-th clip from the i-th on, for `i/n`; raises UsageError for anything else."""
    number, _, count = shard.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise UsageError(f"--shard {shard} is no share", hint="the second of four is 2/4")
    return list(clips[int(number) - 1 :: int(count)])


def outcomes_in(record: Path) -> dict[str, Outcome]:
    """What an earlier run noted; nothing where there was none."""
    if not record.exists():
        return {}
    try:
        items: list[dict[str, Any]] = json.loads(record.read_bytes())["items"]
        return {item["clip"]: Outcome(**item) for item in items}
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{record} is not what flowcli batch wrote", hint="move it away to start anew") from error


def failures(batch: Batch) -> PartialError | None:
    """The error of a batch with failed clips; None where all are done."""
    failed = sum(outcome.status != "done" for outcome in batch.outcomes.values())
    if not failed:
        return None
    return PartialError(
        f"{failed} of {len(batch.clips)} clips could not be done, or not whole",
        hint="batch.json has the reasons; --retry-failed tries them again",
    )
