"""Video through a pipe, from standard input (`-`) or one that has a name: whatever can be read without going back."""

from __future__ import annotations

import os
import select
import sys
from collections import deque
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from flowcli.errors import SourceError, UsageError
from flowcli.media.frames import VideoMeta
from flowcli.media.pairs import pair_up
from flowcli.media.pyav import VideoReader
from flowcli.media.selection import EVERYTHING, nothing_selected, renumbered
from flowcli.media.sources import STDIN, comes_once

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction
    from io import RawIOBase
    from typing import Self

    from flowcli.media.frames import Frame, FramePair
    from flowcli.media.selection import Selection

_MOST_HELD = 32
"""Frames that a glimpse keeps waiting at most."""
_PATIENCE = 0.2
"""Seconds to wait for data before looking whether they are still wanted."""


def accepts(path: Path) -> bool:
    """True for what comes once."""
    return comes_once(path)


class PipeSource:
    """The frames of a video that comes once, and is not read further than it is asked for."""

    def __init__(
        self,
        path: Path,
        *,
        rate: Fraction | None = None,
        selection: Selection = EVERYTHING,
        deinterlace: bool = False,
    ) -> None:
        self.path = path
        name = Path("stdin") if str(path) == STDIN else path
        self._stream = Stream(opened(path))
        with self._stream.stopping():
            self._reader = VideoReader(name, stream=self._stream, rate=rate, deinterlace=deinterlace)
            self._later = self._reader.frames(selection)
            self._waiting = deque(islice(self._later, 2))
            if not self._waiting and not selection.from_first:
                raise nothing_selected(name, selection)
            if len(self._waiting) < 2:
                reason = "has only one frame" if self._waiting else "has no frame that can be decoded"
                raise SourceError(f"{name} {reason}", hint="flow needs two frames")
        first, reader = self._waiting[0], self._reader
        height, width = first.image.shape[:2]
        self.meta = VideoMeta(
            name.name,
            width,
            height,
            reader.rate,
            selection.count_of(reader.frame_count, reader.rate),
            reader.tick,
            start=first.time,
            pixel_aspect=reader.pixel_aspect,
            seekable=False,
        )

    @property
    def lost(self) -> int:
        """How many frames could not be decoded so far."""
        return self._reader.lost

    @property
    def notes(self) -> list[str]:
        """What is odd about the frames so far."""
        return self._reader.notes

    def frames(self) -> Iterator[Frame]:
        """The selected frames in order, counted and timed from the first of them; only once."""
        return renumbered(self._each())

    def _each(self) -> Iterator[Frame]:
        while self._waiting:
            yield self._waiting.popleft()
        with self._stream.stopping():
            yield from self._later

    def sample_pairs(self, *, count: int, skip: int) -> list[FramePair]:
        """At most `count` pairs, `skip` frames apart, of the first frames; `frames` gives them all the same."""
        wanted = min(count + skip, _MOST_HELD)
        with self._stream.stopping():
            self._waiting.extend(islice(self._later, max(0, wanted - len(self._waiting))))
        return list(pair_up(self._waiting, skip=skip, sliding=True))

    def close(self) -> None:
        """Stops reading. What was opened is closed with the last thread that reads it."""
        self._stream.ended = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Stream:
    """A file as PyAV reads it: whatever has come, as soon as it has, until `ended` is set.

    A signal that stops Python while PyAV waits for data would be lost in PyAV; `stopping` raises it behind that.
    """

    def __init__(self, file: RawIOBase) -> None:
        self.ended = False
        self._file = file
        self._stop: BaseException | None = None
        if file.seekable():
            self.seek = file.seek
            self.tell = file.tell

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end."""
        try:
            while not self.ended:
                if self._has_come():
                    return self._file.read(size) or b""
        except BaseException as stop:
            # PyAV asks again after an end, so this must stay the end.
            self.ended, self._stop = True, stop
        return b""

    @contextmanager
    def stopping(self) -> Iterator[None]:
        """Raises what stopped a read meanwhile."""
        try:
            yield
        finally:
            if self._stop is not None:
                raise self._stop

    def _has_come(self) -> bool:
        # Windows can only wait for sockets.
        return os.name == "nt" or bool(select.select([self._file], [], [], _PATIENCE)[0])


def opened(path: Path) -> RawIOBase:
    """What to read from, without a buffer; raises UsageError where that would wait for someone to type a video."""
    if str(path) != STDIN:
        return path.open("rb", buffering=0)
    if sys.stdin.isatty():
        raise UsageError("stdin is a terminal", hint="pipe a video into flowcli, or name a file")
    return sys.stdin.buffer.raw  # type: ignore[union-attr, no-any-return]


SOURCE = PipeSource
