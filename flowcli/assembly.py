"""Clips that were computed in chunks, put together again."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from flowcli.chunks import Chunk
from flowcli.work import Begun

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Generator

    from flowcli.outcomes import Outcome
    from flowcli.work import Work


def whole_clips(done: Generator[tuple[Work, Outcome | Begun]], works: deque[Work]) -> Generator[tuple[Work, Outcome]]:
    """Every clip with its outcome; where one has begun in chunks, they are added to the works, and then its end."""
    left: dict[str, int] = {}
    failed: dict[str, Outcome] = {}
    with closing(done):
        for work, result in done:
            key = work.clip.key
            if isinstance(result, Begun):
                left[key] = result.chunks
                chunks = [replace(work, chunk=Chunk(number, result.chunks)) for number in range(result.chunks)]
                works.extendleft(reversed(chunks))
                continue
            if work.chunk is None:
                yield work, result
                continue
            left[key] -= 1
            if result.error:
                failed.setdefault(key, result)
            if not left[key] and key in failed:
                yield work, failed[key]
            elif not left[key]:
                works.appendleft(replace(work, chunk=None, joins=True))
