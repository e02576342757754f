"""Computes one clip, or one chunk of it, in the process of any worker."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from flowcli.batch.chunks import compute_chunk, count_chunks, join_chunks, start_chunks
from flowcli.batch.record import Outcome
from flowcli.batch.report import preview_path
from flowcli.batch.report.preview import preview_at
from flowcli.errors import FlowcliError, PartialError, WeightsError
from flowcli.media.content import content_of
from flowcli.model.quality import is_refiner_file
from flowcli.model.weights import find
from flowcli.pipeline.report import problem_of
from flowcli.pipeline.request import PATH
from flowcli.pipeline.task import Task, options_without, refiner_content
from flowcli.pipeline.video import estimate_video, source_of
from flowcli.system.console import Console
from flowcli.system.files import reported
from flowcli.system.lock import is_held, wait_until_free
from flowcli.system.signals import StoppedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowcli.batch.chunks import Chunk
    from flowcli.batch.clips import Clip
    from flowcli.media.sources import Source
    from flowcli.model.weights import Weights
    from flowcli.pipeline.request import Request
    from flowcli.system.console import Result
    from raft_core.raft import RAFT


@dataclass(frozen=True)
class Work:
    """A clip to compute below `folder` with the batch's `request` and its own options; `console` shows its progress.

    `weights` and `refiner`, the content of its own refiner's file if it has one, are those of the start of the batch.
    With `chunk`, it is that chunk of the clip; with `joins`, it joins all chunks.
    """

    clip: Clip
    request: Request
    folder: Path
    console: Console
    weights: Weights
    refiner: str | None = None
    chunk: Chunk | None = None
    joins: bool = False

    @cached_property
    def own(self) -> Request:
        """The request for this clip."""
        return self.clip.own_request(self.request, self.folder)

    @cached_property
    def asked(self) -> str:
        """A hash of the options that are not paths, so that it is the same on every node, and of the two models."""
        content = [options_without(self.own, PATH), self.weights.sha256, self.refiner]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]

    def absolute(self) -> Work:
        """The same work for a process with another working directory."""
        first, *others = (path.absolute() for path in self.clip.inputs)
        clip = replace(self.clip, path=first, second=others[0] if others else None)
        refine = self.own.refine
        if is_refiner_file(refine):
            clip = replace(clip, options={**clip.options, "refine": str(Path(refine).absolute())})
        return replace(self, clip=clip, folder=self.folder.absolute())


@dataclass(frozen=True)
class Chunked:
    """The result of a clip that is divided into a number of chunks, which are still to be computed."""

    chunks: int


@dataclass(frozen=True, eq=False)
class Prepared:
    """Work with an open `source`, or the result of a `finished` run, or the `problem` that prevents it.

    A chunk has neither: it opens its own source.
    """

    work: Work
    task: Task | None = None
    source: Source | None = None
    finished: Result | None = None
    problem: FlowcliError | None = None


def prepare(work: Work) -> Prepared:
    """Opens a clip, which decodes its first frames, unless an earlier run finished it; raises no Exception."""
    try:
        with reported(work.folder / work.clip.folder):
            # An output path is taken as a folder if it exists, even if its name looks like that of a file.
            (work.folder / work.clip.folder).mkdir(parents=True, exist_ok=True)
        if refiner_content(work.own.refine) != work.refiner:
            raise changed(work.own.refine)
        preview = preview_at(preview_path(work.folder, work.clip))
        task = Task.of(work.own, preview, video=work.clip.second is None, weights=work.weights)
        if work.chunk:
            return Prepared(work, task)
        finished = task.finished()
        return Prepared(work, task, None if finished else source_of(work.own), finished)
    except FlowcliError as error:
        return Prepared(work, problem=error)
    except Exception as error:
        return Prepared(work, problem=bug(error))


def compute(prepared: Prepared, model: RAFT) -> Outcome | Chunked:
    """Computes one clip or chunk; every Exception becomes its outcome, except that StoppedError is raised."""
    started, threads = time.monotonic(), torch.get_num_threads()
    try:
        done = compute_prepared(when_free(prepared), model)
    except StoppedError:
        raise
    except FlowcliError as error:
        done = outcome(prepared.work, problem=error)
    except Exception as error:
        done = outcome(prepared.work, problem=bug(error))
    finally:
        # A resumed clip sets the number of threads that its run started with.
        torch.set_num_threads(threads)
    return done if isinstance(done, Chunked) else replace(done, seconds=round(time.monotonic() - started, 3))


def when_free(prepared: Prepared) -> Prepared:
    """Waits while another process writes the clip, such as a worker of a killed batch that has not ended yet.

    Then prepares the work again: the other process may have finished it.
    """
    task, work = prepared.task, prepared.work
    if task is None or work.chunk or not is_held(task.journal):
        return prepared
    if prepared.source:
        prepared.source.close()
    work.console.say(f"waiting for another process that writes {work.clip.key}")
    wait_until_free(task.journal)
    return prepare(work)


def compute_prepared(prepared: Prepared, model: RAFT) -> Outcome | Chunked:
    """Computes one clip or chunk, unless it is finished or has a problem."""
    work, task, result = prepared.work, prepared.task, prepared.finished
    if task and work.chunk:
        return outcome(work, flows=compute_chunk(task, work.chunk, model=model), state="")
    if task and prepared.source:
        with prepared.source as source:
            chunks = count_chunks(source, task.request)
            if chunks > 1 and not work.joins:
                start_chunks(task, source, work.console, model=model)
                return Chunked(chunks)
            if work.joins:
                result = join_chunks(task, source, work.console, model=model)
            else:
                result = estimate_video(task, work.console, source=source, model=model)
    if task and result and result.report:
        report = result.report.content
        state = " ".join(task.job["input"])
        return outcome(work, flows=report["flows"], problem=problem_of(report, work.clip.path), state=state)
    return outcome(work, problem=prepared.problem)


def outcome(work: Work, *, flows: int = 0, problem: FlowcliError | None = None, state: str | None = None) -> Outcome:
    """The outcome of a clip, with its `problem` if any; `state` is its fingerprint, computed if not given."""
    status = "done" if problem is None else "partial" if isinstance(problem, PartialError) else "failed"
    return Outcome(
        clip=work.clip.key,
        status=status,
        flows=flows,
        seconds=0.0,
        fingerprint=state_of(work.clip) if state is None else state,
        asked=work.asked,
        error=None if problem is None else str(problem),
        hint=None if problem is None else problem.hint,
    )


def works_of(clips: Sequence[Clip], request: Request, folder: Path, *, weights: Weights) -> list[Work]:
    """A work for each clip; reads the file of each refiner once."""
    works = [Work(clip, request, folder, Console(quiet=True), weights) for clip in clips]
    contents = {refine: refiner_content(refine) for refine in {work.own.refine for work in works}}
    return [replace(work, refiner=contents[work.own.refine]) for work in works]


def same_weights(weights: Weights) -> Weights:
    """These weights on this machine, at the same path or by the same name; raises WeightsError if it has others."""
    found = find(str(weights.path) if weights.path.is_file() else weights.name)
    if found.sha256 != weights.sha256:
        raise changed(str(found.path))
    return found


def changed(path: str) -> WeightsError:
    """The error for a model whose file is not the one that the batch was started with."""
    return WeightsError(
        f"{path} is not what it was when the batch started",
        hint="run the batch again: it computes what is left with one model",
    )


def state_of(clip: Clip) -> str:
    """The fingerprint of a clip."""
    return " ".join(map(content_of, clip.inputs))


def bug(error: Exception) -> FlowcliError:
    """An unexpected exception as an error that asks for a report."""
    return FlowcliError(f"a bug in flowcli: {type(error).__name__}: {error}", hint="please report it")
