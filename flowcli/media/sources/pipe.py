"""Video from standard input (`-`) or a named pipe, read as it arrives.

An MP4 whose index comes behind its frames, as most programs write it, is stored in a temporary file first.
"""

from __future__ import annotations

import errno
import os
import select
import sys
import tempfile
from collections import deque
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from flowcli.errors import OutputError, SourceError, UsageError
from flowcli.media.decoding import USUAL
from flowcli.media.frames import VideoMeta
from flowcli.media.pairs import Pairing, pair_up
from flowcli.media.pyav import VideoReader
from flowcli.media.pyav.boxes import has_index_behind
from flowcli.media.selection import EVERYTHING, nothing_selected, renumbered
from flowcli.media.sources import STDIN, is_pipe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction
    from io import RawIOBase
    from typing import BinaryIO, Self

    from flowcli.media.decoding import Decoding
    from flowcli.media.frames import Frame, FramePair
    from flowcli.media.selection import Selection

_MAX_SAMPLED = 32
"""The number of first frames that `sample_pairs` keeps at most."""
_BLOCK = 2**20
"""Bytes that are copied at once, at most."""
_POLL = 0.2
"""Seconds between checks of whether reading has been ended."""


def accepts(path: Path) -> bool:
    """Whether the path is standard input or a named pipe."""
    return is_pipe(path)


class PipeSource:
    """The frames of a video that can be read once, and is read no further than requested."""

    def __init__(
        self,
        path: Path,
        *,
        rate: Fraction | None = None,
        selection: Selection = EVERYTHING,
        decoding: Decoding = USUAL,
    ) -> None:
        self.path = path
        name = Path("stdin") if str(path) == STDIN else path
        self._stream = Stream(open_pipe(path))
        with self._stream.stopping():
            if has_index_behind(self._stream.peek):
                self._stream.store()
            self._reader = VideoReader(name, stream=self._stream, rate=rate, decoding=decoding)
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
            levels=reader.colours.levels_of_all(reader.colours.levels),
        )

    @property
    def lost(self) -> int:
        """How many frames could not be decoded so far."""
        return self._reader.lost

    @property
    def notes(self) -> list[str]:
        """Anomalies of the frames so far, a sentence each."""
        return self._reader.notes

    def frames(self) -> Iterator[Frame]:
        """The selected frames in order, with indices and times that count from the first of them; only once."""
        return renumbered(self._selected())

    def _selected(self) -> Iterator[Frame]:
        while self._waiting:
            yield self._waiting.popleft()
        with self._stream.stopping():
            yield from self._later

    def sample_pairs(self, *, count: int, skip: int) -> list[FramePair]:
        """At most `count` pairs, `skip` frames apart, of the first frames, which `frames` still yields."""
        needed = min(count + skip, _MAX_SAMPLED)
        with self._stream.stopping():
            self._waiting.extend(islice(self._later, max(0, needed - len(self._waiting))))
        return list(pair_up(self._waiting, Pairing(skip, sliding=True)))

    def close(self) -> None:
        """Stops reading. The file itself is closed once no thread reads it any more."""
        self._stream.ended = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Stream:
    """A file that gives PyAV the data as soon as it arrives, until `ended` is set.

    PyAV would swallow an exception, such as that of a signal, raised while it waits for data; `stopping` raises it
    after PyAV has returned.
    """

    def __init__(self, file: RawIOBase) -> None:
        self.ended = False
        self._ahead = b""
        self._error: BaseException | None = None
        self._read_from(file)

    def _read_from(self, file: RawIOBase | BinaryIO) -> None:
        self._file = file
        if file.seekable():
            self.seek = file.seek
            self.tell = file.tell

    def peek(self, size: int) -> bytes:
        """The first `size` bytes, or all where there are fewer, which `read` still gives."""
        if self._file.seekable():
            start = self._file.tell()
            ahead = self.read(size)
            self._file.seek(start)
            return ahead
        while len(self._ahead) < size and (arrived := self._arriving(size - len(self._ahead))):
            self._ahead += arrived
        return self._ahead[:size]

    def store(self) -> None:
        """Copies all data into a temporary file, so that it can be sought in; raises OutputError where that fails."""
        if self._file.seekable():
            return
        try:
            # It has no name, so that it is gone whatever becomes of the process.
            stored: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115
            while data := self.read(_BLOCK):
                stored.write(data)
            stored.seek(0)
        except OSError as error:
            reason = "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or str(error)).lower()
            raise OutputError(
                f"the video from the pipe cannot be kept in {tempfile.gettempdir()}: {reason}",
                hint="set TMPDIR to a folder with more space, or pipe MP4 with its index in front (faststart)",
            ) from error
        self._read_from(stored)

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end."""
        if self._ahead:
            ahead, self._ahead = self._ahead[:size], self._ahead[size:]
            return ahead
        return self._arriving(size)

    def _arriving(self, size: int) -> bytes:
        try:
            while not self.ended:
                if self._has_data():
                    return self._file.read(size) or b""
        except BaseException as error:
            # PyAV reads again after an end, which must remain one.
            self.ended, self._error = True, error
        return b""

    @contextmanager
    def stopping(self) -> Iterator[None]:
        """Raises, at the end of the block, the exception that stopped a read within it."""
        try:
            yield
        finally:
            if self._error is not None:
                raise self._error

    def _has_data(self) -> bool:
        # Windows can only wait for sockets.
        return os.name == "nt" or bool(select.select([self._file], [], [], _POLL)[0])


def open_pipe(path: Path) -> RawIOBase:
    """The pipe or standard input, unbuffered; raises UsageError where standard input is a terminal."""
    if str(path) != STDIN:
        return path.open("rb", buffering=0)
    if sys.stdin.isatty():
        raise UsageError("stdin is a terminal", hint="pipe a video into flowcli, or name a file")
    return sys.stdin.buffer.raw  # type: ignore[union-attr, no-any-return]


SOURCE = PipeSource
