"""Processes of this machine compute: one for each GPU, or one that may crash without harm to the others' clips."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import torch

from flowcli.batch.engines.scheduler import spread, threads_each
from flowcli.batch.work import compute, prepare
from flowcli.model.weights import find, load
from flowcli.system.processes import init_worker

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Generator
    from multiprocessing.process import BaseProcess

    from flowcli.batch.record import Outcome
    from flowcli.batch.work import Chunked, Work
    from raft_core.raft import RAFT


@dataclass(frozen=True)
class Place:
    """Where a process computes: on which GPU, or with how many threads of the CPU; None leaves that as it is."""

    weights: str
    gpu: int | None = None
    threads: int | None = None


def compute_in_processes(
    works: deque[Work], *, weights: str, workers: int, gpus: int
) -> Generator[tuple[Work, Outcome | Chunked]]:
    """Starts `workers` processes and shares the works out to them; a crash costs one clip."""
    find(weights)
    threads = threads_each(workers) if workers > 1 else None
    places = [Place(weights, number % gpus if gpus else None, threads) for number in range(workers)]
    return spread(works, [WorkerProcess(place) for place in places], lost=cause_of_death, tries=1)


def cause_of_death(error: BaseException) -> str | None:
    """What killed a process, as far as can be told."""
    if isinstance(error, BrokenProcessPool):
        return "the process that computed it died: a crash in native code, or too little memory"
    return None


class WorkerProcess:
    """A process that computes one clip after another."""

    def __init__(self, place: Place) -> None:
        self._place = place
        # Not forked: neither CUDA nor threads survive that.
        self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        self._process: BaseProcess | None = None

    def start(self) -> Future[None]:
        """Loads the model."""
        others = set(multiprocessing.active_children())
        begun = self._pool.submit(begin, self._place)
        (self._process,) = set(multiprocessing.active_children()) - others
        return begun

    def submit(self, work: Work) -> Future[Outcome | Chunked]:
        """Computes one clip."""
        return self._pool.submit(compute_there, work, self._place.weights)

    def renewed(self) -> WorkerProcess:
        """A new process in the same place."""
        self._pool.shutdown()
        return WorkerProcess(self._place)

    def stop(self) -> None:
        """Ends the process, which keeps what it has computed."""
        if self._process:
            self._process.terminate()
        self._pool.shutdown(cancel_futures=True)


def begin(place: Place) -> None:
    """Readies this process."""
    init_worker()
    if place.threads is not None:
        torch.set_num_threads(place.threads)
    if place.gpu is not None:
        torch.cuda.set_device(place.gpu)
    loaded(place.weights)


def compute_there(work: Work, weights: str) -> Outcome | Chunked:
    """Computes one clip in this process."""
    return compute(prepare(work), loaded(weights))


@cache
def loaded(weights: str) -> RAFT:
    """The model, which stays in this process."""
    return load(find(weights))
