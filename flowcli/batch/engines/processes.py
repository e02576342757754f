"""The engine of several processes on this machine; a crash of one costs the clip that it computes."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import torch

from flowcli.batch.engines.scheduler import spread, threads_each
from flowcli.batch.work import compute, prepare, same_weights
from flowcli.model.weights import load
from flowcli.system.processes import init_worker

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Generator
    from multiprocessing.process import BaseProcess

    from flowcli.batch.record import Outcome
    from flowcli.batch.work import Chunked, Work
    from flowcli.model.weights import Weights
    from raft_core.raft import RAFT


@dataclass(frozen=True)
class Place:
    """The weights of a process, and its GPU or number of CPU threads; None keeps the default."""

    weights: Weights
    gpu: int | None = None
    threads: int | None = None


def compute_in_processes(
    works: deque[Work], *, weights: Weights, workers: int, gpus: int
) -> Generator[tuple[Work, Outcome | Chunked]]:
    """Distributes the works to `workers` processes; the outcome of a clip whose process crashes is an error."""
    threads = threads_each(workers) if workers > 1 else None
    places = [Place(weights, number % gpus if gpus else None, threads) for number in range(workers)]
    return spread(works, [WorkerProcess(place) for place in places], lost=crash_cause, tries=1)


def crash_cause(error: BaseException) -> str | None:
    """The cause of a process's death, in words; None for an error that is not one."""
    if isinstance(error, BrokenProcessPool):
        return "the process that computed it died: a crash in native code, or too little memory"
    return None


class WorkerProcess:
    """A worker that is a process of this machine."""

    def __init__(self, place: Place) -> None:
        self._place = place
        # Spawned, because CUDA and threads do not survive a fork.
        self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        self._process: BaseProcess | None = None

    def start(self) -> Future[None]:
        """Starts the process; the future is done when the model is loaded."""
        others = set(multiprocessing.active_children())
        started = self._pool.submit(start, self._place)
        (self._process,) = set(multiprocessing.active_children()) - others
        return started

    def submit(self, work: Work) -> Future[Outcome | Chunked]:
        """Computes one clip."""
        return self._pool.submit(compute_in_worker, work, self._place.weights)

    def replacement(self) -> WorkerProcess:
        """A new worker on the same GPU, or with as many threads."""
        self._pool.shutdown()
        return WorkerProcess(self._place)

    def stop(self) -> None:
        """Terminates the process, which keeps its finished flow as after any signal."""
        if self._process:
            self._process.terminate()
        self._pool.shutdown(cancel_futures=True)


def start(place: Place) -> None:
    """Prepares this process and loads the model."""
    init_worker()
    if place.threads is not None:
        torch.set_num_threads(place.threads)
    if place.gpu is not None:
        torch.cuda.set_device(place.gpu)
    loaded(place.weights)


def compute_in_worker(work: Work, weights: Weights) -> Outcome | Chunked:
    """Computes one clip in this process."""
    return compute(prepare(work), loaded(weights))


@cache
def loaded(weights: Weights) -> RAFT:
    """The model, which this process loads once; raises WeightsError if its file has changed."""
    return load(same_weights(weights))
