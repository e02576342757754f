"""One clip of a batch, computed wherever the batch's engine wants it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from flowcli.errors import FlowcliError, PartialError
from flowcli.fingerprint import fingerprint
from flowcli.interruption import StoppedError
from flowcli.outcomes import Outcome
from flowcli.partfile import reported
from flowcli.pipeline import carry_out, opened_source
from flowcli.run import incomplete
from flowcli.task import Task

if TYPE_CHECKING:
    from pathlib import Path

    from flowcli.console import Console
    from flowcli.discovery import Clip
    from flowcli.request import Request
    from flowcli.run import Result
    from flowcli.sources import Source
    from raft_core.raft import RAFT


@dataclass(frozen=True)
class Work:
    """A clip to compute into its place below `folder`, as the batch's `request` and its own options say.

    `console` is what it tells of its own progress.
    """

    clip: Clip
    request: Request
    folder: Path
    console: Console

    @cached_property
    def own(self) -> Request:
        """The request for this clip alone."""
        place = self.folder / self.clip.folder
        options = {**self.clip.options, "inputs": (self.clip.path,), "output": place, "name": self.clip.name}
        return replace(self.request, **options, resume=True)


@dataclass(frozen=True, eq=False)
class Prepared:
    """Work that can begin: its source is open; or was finished before, or cannot be done."""

    work: Work
    task: Task | None = None
    source: Source | None = None
    finished: Result | None = None
    problem: FlowcliError | None = None


def prepare(work: Work) -> Prepared:
    """Opens a clip, which decodes its first frames, unless an earlier run has finished it."""
    try:
        with reported(work.folder / work.clip.folder):
            # A folder that is there is an output folder, whatever its name looks like.
            (work.folder / work.clip.folder).mkdir(parents=True, exist_ok=True)
        task = Task.of(work.own)
        finished = task.finished()
        return Prepared(work, task, None if finished else opened_source(work.own), finished)
    except FlowcliError as error:
        return Prepared(work, problem=error)
    except Exception as error:
        return Prepared(work, problem=bug(error))


def compute(prepared: Prepared, model: RAFT) -> Outcome:
    """Computes one clip; whatever goes wrong with it becomes its outcome, but for a signal to stop."""
    started = time.monotonic()
    result, problem = prepared.finished, prepared.problem
    threads = torch.get_num_threads()
    try:
        if prepared.task and prepared.source:
            with prepared.source:
                result = carry_out(prepared.task, prepared.source, prepared.work.console, model=model)
            problem = result.problem
    except StoppedError:
        raise
    except FlowcliError as error:
        problem = error
    except Exception as error:
        problem = bug(error)
    finally:
        # One clip that is taken up again with the threads it was begun with.
        torch.set_num_threads(threads)
    seconds = time.monotonic() - started
    if result is None:
        return outcome(prepared.work, seconds=seconds, problem=problem)
    report = json.loads(result.report)
    if prepared.finished:
        unknown = sum(not pair["finite"] for pair in report["pairs"])
        problem = incomplete(prepared.work.clip.path, lost=report["lost_frames"], unknown=unknown)
    return outcome(prepared.work, flows=report["flows"], seconds=seconds, problem=problem)


def outcome(work: Work, *, flows: int = 0, seconds: float = 0.0, problem: FlowcliError | None = None) -> Outcome:
    """What became of a clip that ran into a problem, or into none."""
    known = Outcome(work.clip.key, "done", flows, round(seconds, 3), state_of(work.clip.path))
    if problem is None:
        return known
    status = "partial" if isinstance(problem, PartialError) else "failed"
    return replace(known, status=status, error=str(problem), hint=problem.hint)


def state_of(path: Path) -> str:
    """What tells whether a clip has changed, where it can be read at all."""
    try:
        return fingerprint(path)
    except OSError:
        return ""


def bug(error: Exception) -> FlowcliError:
    """What no one foresaw, with one clip."""
    return FlowcliError(f"a bug in flowcli: {type(error).__name__}: {error}", hint="please report it")
