"""This process computes, one clip after another, while the next one is opened."""

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


def compute_here(works: deque[Work], *, weights: str) -> Generator[tuple[Work, Outcome | Chunked]]:
    """Loads the model once."""
    model = load(find(weights))
    # The thread that opens the next clip may have come to the end before what is done adds more.
    while works:
        for prepared in prefetch(map(prepare, taken(works)), ahead=1):
            yield prepared.work, compute(prepared, model)


def taken(works: deque[Work]) -> Iterator[Work]:
    """The works in order, each removed."""
    while works:
        yield works.popleft()
