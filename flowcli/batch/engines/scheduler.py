"""Distributes works to workers and replaces workers that die."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TYPE_CHECKING, Any, Protocol

import torch

from flowcli.batch.work import outcome
from flowcli.errors import DeviceError

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Generator, Sequence

    from flowcli.batch.record import Outcome
    from flowcli.batch.work import Chunked, Work


class Worker(Protocol):
    """A process, on any machine, that holds the model and computes one work at a time."""

    def start(self) -> Future[Any]:
        """Loads the model; the future is done when the worker can take works."""

    def submit(self, work: Work) -> Future[Outcome | Chunked]:
        """Computes one clip."""

    def replacement(self) -> Worker:
        """A new worker, not yet started, in place of this one, which is dead."""

    def stop(self) -> None:
        """Ends the worker; the work that it computes can be resumed."""


def spread(
    works: deque[Work], workers: Sequence[Worker], *, lost: Callable[[BaseException], str | None], tries: int
) -> Generator[tuple[Work, Outcome | Chunked]]:
    """Gives the next work to each worker that is ready; yields each work with its outcome, until none is left.

    `lost` returns the cause if an error means that the worker died, else None. A work whose worker dies is attempted
    up to `tries` times. Raises DeviceError if workers die while they start.
    """
    busy: dict[Future[Any], tuple[Worker, Work | None]] = {worker.start(): (worker, None) for worker in workers}
    ready: list[Worker] = []
    deaths: Counter[object] = Counter()
    try:
        while works or any(work for _, work in busy.values()):
            while ready and works:
                worker = ready.pop()
                work = works.popleft()
                busy[worker.submit(work)] = worker, work
            for future in wait(busy, return_when=FIRST_COMPLETED).done:
                worker, done = busy.pop(future)
                error = future.exception()
                if error is None:
                    ready.append(worker)
                    if done:
                        yield done, future.result()
                    continue
                cause = lost(error)
                if cause is None:
                    raise error
                fresh = worker.replacement()
                busy[fresh.start()] = fresh, None
                key = done and (done.clip.key, done.chunk)
                deaths[key] += 1
                if done is None and deaths[key] > tries * len(workers):
                    raise DeviceError(f"workers die while they start: {cause}", hint="try --engine local")
                if done and deaths[key] < tries:
                    works.appendleft(done)
                elif done:
                    yield done, outcome(done, problem=DeviceError(cause, hint="this clip may be the cause"))
    finally:
        for worker in [*ready, *(worker for worker, _ in busy.values())]:
            worker.stop()


def threads_each(workers: int) -> int:
    """The number of threads for each of several workers: an equal part of this process's threads, at least 1."""
    return max(1, torch.get_num_threads() // workers)
