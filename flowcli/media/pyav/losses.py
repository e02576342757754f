"""How many frames of a video are missing, by what its file announces."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from flowcli.media.pyav.boxes import is_followed
from flowcli.media.pyav.matroska import ends_whole
from flowcli.media.pyav.stream_facts import (
    announced_frames,
    estimated_frames,
    fraction,
    packets_beyond_end,
    promised_end,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction
    from pathlib import Path
    from typing import Any

    from flowcli.media.pyav.clock import Clock
    from flowcli.media.pyav.decoder import Decoder


class Losses:
    """What the open container announces, to be compared with what it held; `path` is None for a pipe.

    `frame_count` is the container's estimate, or None. `is_complete` is whether the file is known to hold every frame
    that its index lists.
    """

    def __init__(self, path: Path | None, container: Any, stream: Any, *, rate: Fraction) -> None:
        self._path = path
        self._container = container
        self._stream = stream
        self._bytes = self._bytes_now()
        self._announced = announced_frames(stream, container)
        self.frame_count = self._announced or estimated_frames(stream, container, self._bytes, rate)
        self._missing: int | None = None
        self._missing = self._missing_now()
        self.is_complete = self._missing == 0

    def count(self, clock: Clock, decoder: Decoder, *, whole: bool) -> Iterator[tuple[str, str]]:
        """Counts the frames that are missing at the end of the file; yields each note with its subject.

        `whole` is whether the pass began at the first frame.
        """
        clock.lost = max(clock.lost, self._missing_now(ended=True) or 0)
        if self._bytes_now() < self._bytes:
            yield "cut", "the file became shorter while it was read; the number of frames lost to that is unknown"
            clock.lost = max(clock.lost, 1)
        end = promised_end(self._stream)
        if end is not None and not self._ends_whole(clock):
            clock.count_lost_until(end)
        if self._is_cut_avi():
            clock.count_lost_until(self._stream.frames * (fraction(self._stream.time_base) or 0), is_exact=True)
        if self._is_followed():
            yield (
                "joined",
                "another MP4 stands behind the first one, and is not read: join them with ffmpeg's concat demuxer",
            )
        if missing := self._missing_in_gaps(clock, decoder):
            seems = "frame seems" if missing == 1 else "frames seem"
            yield "gaps", f"about {missing} {seems} to be missing: the others are evenly spaced"
        elif whole and not clock.lost and (held := max(decoder.delivered, clock.count)) < self._announced:
            yield "count", f"frames are missing: the file announces {self._announced} and holds {held}"

    def _ends_whole(self, clock: Clock) -> bool:
        """Whether nothing was lost, and the end of the file shows that nothing can follow the latest frame."""
        with contextlib.suppress(OSError):
            return self._path is not None and not clock.lost and ends_whole(self._path)
        return False

    def _is_cut_avi(self) -> bool:
        """Whether an AVI was complete, and states in its header how many frames it had, but was cut off."""
        with contextlib.suppress(OSError):
            is_avi = self._container.format.name == "avi" and self._stream.frames > 0
            return is_avi and self._path is not None and frames_are_cut(self._path)
        return False

    def _is_followed(self) -> bool:
        # An MP4 of fragments is read up to its end, in whatever way it was joined.
        with contextlib.suppress(OSError):
            is_mp4 = self._container.format.name.startswith("mov") and self._stream.frames > 0
            return is_mp4 and self._path is not None and is_followed(self._path)
        return False

    def _missing_in_gaps(self, clock: Clock, decoder: Decoder) -> int:
        # In AVI a gap is made of empty entries, which mean the frame before again.
        if self._container.format.name == "avi":
            return 0
        return max(0, clock.missing_in_gaps - decoder.without_picture)

    def _missing_now(self, *, ended: bool = False) -> int | None:
        """How many frames the index lists but the file, which may become shorter, does not hold; None if unknown.

        The index of a fragmented MP4 is known once it was read to its end.
        """
        fragments = ended and self._stream.frames == 0 and self._container.format.name.startswith("mov")
        with contextlib.suppress(OSError):
            return None if self._path is None else packets_beyond_end(self._stream, self._path, fragments=fragments)
        return self._missing

    def _bytes_now(self) -> int:
        """The size of the file; 0 for a pipe, or where the file no longer exists."""
        with contextlib.suppress(OSError):
            return 0 if self._path is None else self._path.stat().st_size
        return 0


def frames_are_cut(path: Path) -> bool:
    """Whether an AVI ends before the list of its frames does."""
    end, start = path.stat().st_size, 0
    with path.open("rb") as file:
        while start < end:
            file.seek(start)
            head = file.read(12)
            if head[:4] == b"RIFF":
                start += len(head)
                continue
            start += 8 + int.from_bytes(head[4:8], "little")
            start += start % 2
            if start > end:
                return head[:4] == b"LIST" and head[8:] == b"movi"
    return False
