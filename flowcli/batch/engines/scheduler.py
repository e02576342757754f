"""Works spread over workers, each of which may die."""

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
    """A process somewhere that holds the model."""

    def start(self) -> Future[Any]:
        """Loads the model; done when works can come."""

    def submit(self, work: Work) -> Future[Outcome | Chunked]:
        """Computes one clip."""

    def renewed(self) -> Worker:
        """Another one in its place, once it is dead."""

    def stop(self) -> None:
        """Ends it; what it computes is stopped as by a signal, so that it can be gone on with."""


def spread(
    works: deque[Work], workers: Sequence[Worker], *, lost: Callable[[BaseException], str | None], tries: int
) -> Generator[tuple[Work, Outcome | Chunked]]:
    """Hands each worker that is ready the next work, until all are done.

    `lost` says of an error whether the worker died, and of what. Its work is tried again, `tries` times in all.
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
                fresh = worker.renewed()
                busy[fresh.start()] = fresh, None
                what = done and (done.clip.key, done.chunk)
                deaths[what] += 1
                if done is None and deaths[what] > tries * len(workers):
                    raise DeviceError(f"workers die before they can begin: {cause}", hint="try --engine local")
                if done and deaths[what] < tries:
                    works.appendleft(done)
                elif done:
                    yield done, outcome(done, problem=DeviceError(cause, hint="the clip may be what kills it"))
    finally:
        for worker in [*ready, *(worker for worker, _ in busy.values())]:
            worker.stop()


def threads_each(workers: int) -> int:
    """How many threads each of several workers should compute with, of those that one would."""
    return max(1, torch.get_num_threads() // workers)
