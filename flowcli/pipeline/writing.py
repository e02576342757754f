"""Writes estimates to all outputs: complete, partial after a signal, or aborted after an error.

What is aborted leaves no unfinished file. Files of single pairs that were written by then stay, and so does an output
that was completed before another one could not be.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from flowcli.flow.estimate import Stamp
from flowcli.flow.photometric import PhotometricError
from flowcli.pipeline.segments import Segment
from flowcli.system.threads import BackgroundWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from flowcli.flow.estimate import Estimate
    from flowcli.flow.outputs import OutputWriter
    from flowcli.system.signals import Interruption


def write_estimates(
    estimates: Iterable[Estimate], opened: Callable[[], Sequence[OutputWriter]], interruption: Interruption
) -> Segment:
    """Opens the writers, writes every estimate to each, and closes them; after a signal, finishes them as partial."""
    started = time.monotonic()
    stamps: list[Stamp] = []
    photometric_error = PhotometricError()
    writers: list[BackgroundWriter[Estimate]] = [BackgroundWriter(writer) for writer in (*opened(), photometric_error)]
    with aborted_on_error(writers):
        for estimate in interruption.until_stopped(estimates):
            for writer in writers:
                writer.write(estimate)
            stamps.append(Stamp.of(estimate))
        # A first signal after this point does not make the outputs partial: closing is quick.
        complete = interruption.number is None
        for writer in writers:
            if complete:
                writer.close()
            else:
                writer.finish_partial()
    errors = tuple(photometric_error.errors)
    return Segment(tuple(stamps), errors, time.monotonic() - started, complete=complete)


@contextmanager
def aborted_on_error(writers: Sequence[BackgroundWriter[Any]]) -> Iterator[None]:
    """Aborts every writer if the block raises, which does nothing to those that are closed by then."""
    try:
        yield
    except BaseException:
        for writer in writers:
            writer.abort()
        raise
