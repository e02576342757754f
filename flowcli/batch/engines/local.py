"""The local engine: computes clips in this process, one after another, and opens the next one in a thread."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from flowcli.batch.work import compute, prepare
from flowcli.model.weights import load
from flowcli.system.threads import prefetch

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Generator, Iterator

    from flowcli.batch.record import Outcome
    from flowcli.batch.work import Chunked, Work
    from flowcli.model.weights import Weights
    from flowcli.system.console import Console


def compute_locally(
    works: deque[Work], *, weights: Weights, console: Console
) -> Generator[tuple[Work, Outcome | Chunked]]:
    """Computes the works in order; loads the model once. `console` shows the clip that is computed."""
    model = load(weights)
    # The thread that opens clips can reach the end before a finished work adds more.
    while works:
        for prepared in prefetch(map(prepare, popped(works, console)), ahead=1):
            yield prepared.work, compute(prepared, model)


def popped(works: deque[Work], console: Console) -> Iterator[Work]:
    """Removes and yields the works in order, each with a console that shows its progress alone."""
    while works:
        work = works.popleft()
        yield replace(work, console=console.progress_of(work.clip.key))
