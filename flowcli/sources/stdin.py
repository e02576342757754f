"""Video from standard input, `-`: whatever can be read without going back."""

from __future__ import annotations

import sys
from collections import deque
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from flowcli.errors import SourceError, UsageError
from flowcli.frames import FramePair, VideoMeta
from flowcli.pyav import VideoReader
from flowcli.selection import EVERYTHING, nothing_selected, renumbered
from flowcli.sources import STDIN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction
    from typing import Self

    from flowcli.frames import Frame
    from flowcli.selection import Selection

_MOST_HELD = 32
"""Frames that a glimpse keeps waiting at most."""


def accepts(path: Path) -> bool:
    """True for `-`."""
    return str(path) == STDIN


class Source:
    """The frames of a video that comes once, and is not read further than it is asked for."""

    def __init__(
        self,
        path: Path,
        *,
        rate: Fraction | None = None,
        selection: Selection = EVERYTHING,
        deinterlace: bool = False,
    ) -> None:
        if sys.stdin.isatty():
            raise UsageError("stdin is a terminal", hint="pipe a video into flowcli, or name a file")
        self.path = path
        name = Path("stdin")
        self._reader = VideoReader(name, stream=sys.stdin.buffer, rate=rate, deinterlace=deinterlace)
        try:
            self._later = self._reader.frames(selection)
            self._waiting = deque(islice(self._later, 2))
            if not self._waiting and not selection.from_first:
                raise nothing_selected(name, selection)
            if len(self._waiting) < 2:
                reason = "has only one frame" if self._waiting else "has no frame that can be decoded"
                raise SourceError(f"{name} {reason}", hint="flow needs two frames")
        except BaseException:
            self.close()
            raise
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
        yield from self._later

    def glimpse(self, *, count: int, skip: int) -> list[FramePair]:
        """At most `count` pairs, `skip` frames apart, of the first frames; `frames` gives them all the same."""
        wanted = min(count + skip, _MOST_HELD)
        self._waiting.extend(islice(self._later, max(0, wanted - len(self._waiting))))
        held = list(self._waiting)
        return [FramePair(first, second, continues=False) for first, second in zip(held, held[skip:], strict=False)]

    def close(self) -> None:
        """Stops reading."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
