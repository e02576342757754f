"""A video file."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING

from flowcli.errors import SourceError
from flowcli.media.frames import Audio, FramePair, VideoMeta
from flowcli.media.pyav import VideoReader
from flowcli.media.pyav.seeking import approach
from flowcli.media.pyav.sniffing import Fault, refusal
from flowcli.media.selection import EVERYTHING, Moment, Selection, nothing_selected, renumbered

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Self

    from flowcli.media.frames import Frame

_REACH = Fraction(10)
"""Seconds that a glimpse decodes at most from a key frame to where it wants to look."""


def accepts(path: Path) -> bool:
    """True for every file: only opening it tells what it holds."""
    return path.exists() and not path.is_dir()


class VideoSource:
    """The frames of a video, upright. Each pass opens the file anew, so passes do not disturb each other."""

    def __init__(
        self,
        path: Path,
        *,
        rate: Fraction | None = None,
        selection: Selection = EVERYTHING,
        deinterlace: bool = False,
    ) -> None:
        self.path = path
        self.lost = 0
        self.notes: list[str] = []
        self._rate = rate
        self._deinterlace = deinterlace
        self._selection, self._seek_to = selection, None
        with VideoReader(path, rate=rate) as reader:
            head = list(islice(reader.frames(), 2))
            self._origin = reader.origin
        if not head:
            raise refusal(path, otherwise=Fault("has no frame that can be decoded", "is it encrypted or damaged?"))
        if len(head) == 1:
            raise SourceError(f"{path} has only one frame", hint="flow needs two frames; for pictures: `flowcli pair`")
        if not selection.from_first:
            # The frame that one begins with would be mended without the one before it.
            if not deinterlace:
                self._selection, self._seek_to = approach(path, selection, origin=self._origin)
            head = list(islice(self._selected(), 2))
            if not head:
                raise nothing_selected(path, selection)
        height, width = head[0].image.shape[:2]
        self._start = head[0].time
        self.meta = VideoMeta(
            path.name,
            width,
            height,
            reader.rate,
            selection.count_of(reader.frame_count, reader.rate),
            reader.tick,
            start=self._start,
            pixel_aspect=reader.pixel_aspect,
            audio=Audio(path, (self._origin or 0) + self._start),
        )

    def frames(self) -> Iterator[Frame]:
        """The selected frames in order, counted and timed from the first of them."""
        return renumbered(self._selected())

    def _selected(self) -> Iterator[Frame]:
        with VideoReader(self.path, origin=self._origin, rate=self._rate, deinterlace=self._deinterlace) as reader:
            if self._seek_to is not None:
                reader.seek(self._seek_to)
            try:
                yield from reader.frames(self._selection, from_key_frame=self._seek_to is not None)
            finally:
                self.lost, self.notes = reader.lost, reader.notes

    def sample_pairs(self, *, count: int, skip: int) -> list[FramePair]:
        """At most `count` pairs, `skip` frames apart, spread over the video."""
        starts = max(1, (self.meta.frame_count or count * (skip + 1)) - skip)
        pairs: list[FramePair] = []
        for number in range(count):
            time = self._start + starts * (2 * number + 1) // (2 * count) / self.meta.rate
            # Some streams find no key frame where they seek to; they are read from their start.
            pair = self._pair_near(time, skip=skip, seeks=True) or self._pair_near(time, skip=skip, seeks=False)
            if pair is not None and all(pair.first.time != known.first.time for known in pairs):
                pairs.append(pair)
        return pairs

    def _pair_near(self, time: Fraction, *, skip: int, seeks: bool) -> FramePair | None:
        with VideoReader(self.path, origin=self._origin, rate=self._rate) as reader:
            if seeks:
                reader.seek(time)
            wanted = Selection(start=Moment(seconds=time))
            frames = enumerate(reader.frames(wanted, reach=_REACH))
            # Whatever lies between the two is not kept.
            ends = list(islice((frame for number, frame in frames if number in {0, skip}), 2))
        return FramePair(ends[0], ends[1], continues=False) if len(ends) == 2 else None

    def close(self) -> None:
        """Nothing stays open between passes."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


SOURCE = VideoSource
