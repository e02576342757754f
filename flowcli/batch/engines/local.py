"""The local engine: computes clips in this process, one after another, and opens the next one in a thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcli.batch.work import compute, prepare
from flowcli.model.weights import find, load
from flowcli.system.threads import prefetch

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Generator, Iterator

    from flowcli.batch.record import Outcome
    from flowcli.batch.work import Chunked, Work


def compute_locally(works: deque[Work], *, weights: str) -> Generator[tuple[Work, Outcome | Chunked]]:
    """Computes the works in order; loads the model once."""
    model = load(find(weights))
    # The thread that opens clips can reach the end before a finished work adds more.
    while works:
        for prepared in prefetch(map(prepare, popped(works)), ahead=1):
            yield prepared.work, compute(prepared, model)


def popped(works: deque[Work]) -> Iterator[Work]:
    """Removes and yields the works in order."""
    while works:
        yield works.popleft()
