"""Video files."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING

from flowcli.errors import SourceError
from flowcli.media.decoding import USUAL
from flowcli.media.frames import Audio, FramePair, VideoMeta
from flowcli.media.pyav import VideoReader
from flowcli.media.pyav.own_levels import levels_of_file
from flowcli.media.pyav.seeking import frames_before, seek_point
from flowcli.media.pyav.sniffing import Fault, refusal
from flowcli.media.selection import EVERYTHING, Moment, Selection, nothing_selected, renumbered

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Self

    from flowcli.media.decoding import Decoding
    from flowcli.media.frames import Frame

_REACH = Fraction(10)
"""Seconds of video that `sample_pairs` decodes at most between a key frame and a pair."""


def accepts(path: Path) -> bool:
    """Whether the path exists and is not a folder; only opening a file shows what it holds."""
    return path.exists() and not path.is_dir()


class VideoSource:
    """The frames of a video, upright. Each pass opens the file again, so that passes are independent."""

    def __init__(
        self,
        path: Path,
        *,
        rate: Fraction | None = None,
        selection: Selection = EVERYTHING,
        decoding: Decoding = USUAL,
    ) -> None:
        self.path = path
        self.lost = 0
        self.notes: list[str] = []
        self._rate = rate
        self._decoding = decoding
        self._selection, self._seek_to = selection, None
        self._skipped: int | None = None
        with VideoReader(path, rate=rate, decoding=decoding) as reader:
            head = list(islice(reader.frames(), 2))
            self._origin = reader.origin
        if decoding.levels == "auto" and reader.colours.is_deep:
            levels = levels_of_file(path, number=decoding.video_stream)
            self._decoding = replace(decoding, levels=levels or "auto")
        if not head:
            raise refusal(path, otherwise=Fault("has no frame that can be decoded", "is it encrypted or damaged?"))
        if len(head) == 1:
            raise SourceError(f"{path} has only one frame", hint="flow needs two frames; for pictures: `flowcli pair`")
        if not selection.from_first:
            # After a seek, the first frame would be deinterlaced without the one before it.
            if not decoding.deinterlace:
                self._selection, self._seek_to = seek_point(
                    path, selection, origin=self._origin, decoding=self._decoding
                )
            head = list(islice(self._selected(), 2))
            if not head:
                raise nothing_selected(path, selection)
        height, width = head[0].image.shape[:2]
        self._start = head[0].time
        if self._seek_to is not None:
            self._skipped = frames_before(self._start, path, origin=self._origin, decoding=self._decoding)
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
            levels=reader.colours.levels_of_all(self._decoding.levels),
        )

    def frames(self) -> Iterator[Frame]:
        """The selected frames in order, with indices and times that count from the first of them."""
        return renumbered(self._selected(), sought=self._seek_to is not None, skipped=self._skipped)

    def _selected(self) -> Iterator[Frame]:
        with self._reader(self._decoding) as reader:
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
            # Some streams have no key frame after a seek; they are read from their start.
            pair = self._pair_near(time, skip=skip, seeks=True) or self._pair_near(time, skip=skip, seeks=False)
            if pair is not None and all(pair.first.time != other.first.time for other in pairs):
                pairs.append(pair)
        return pairs

    def _pair_near(self, time: Fraction, *, skip: int, seeks: bool) -> FramePair | None:
        with self._reader(replace(self._decoding, deinterlace=False)) as reader:
            if seeks:
                reader.seek(time)
            selection = Selection(start=Moment(seconds=time))
            frames = enumerate(reader.frames(selection, reach=_REACH))
            # Frames between the two are not kept in memory.
            ends = list(islice((frame for number, frame in frames if number in {0, skip}), 2))
        return FramePair(ends[0], ends[1], continues=False) if len(ends) == 2 else None

    def _reader(self, decoding: Decoding) -> VideoReader:
        return VideoReader(self.path, origin=self._origin, rate=self._rate, decoding=decoding)

    def close(self) -> None:
        """Does nothing: no file stays open between passes."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


SOURCE = VideoSource
