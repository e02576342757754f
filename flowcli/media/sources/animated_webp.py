"""Animated WebP files."""

from __future__ import annotations

import os
from fractions import Fraction
from itertools import accumulate, islice
from typing import TYPE_CHECKING

import numpy as np

from flowcli.errors import SourceError, UsageError
from flowcli.media.decoding import USUAL
from flowcli.media.frames import Frame, VideoMeta
from flowcli.media.pairs import Pairing, pair_up
from flowcli.media.selection import EVERYTHING, nothing_selected, renumbered, selected
from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Self

    from flowcli.media.decoding import Decoding
    from flowcli.media.frames import FramePair
    from flowcli.media.selection import Selection

_TICK = Fraction(1, 1000)
_BATCH = 32
"""Frames per call: OpenCV keeps all frames of a call in memory, and decodes every earlier one to reach them."""


def accepts(path: Path) -> bool:
    """Whether the file's header states an animated WebP."""
    if not path.is_file() or not os.access(path, os.R_OK):
        return False
    with path.open("rb") as file:
        head = file.read(21)
    return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and bool(head[20] & 2)


class WebpSource:
    """The frames of an animated WebP with their own times; alpha is ignored."""

    def __init__(
        self,
        path: Path,
        *,
        rate: Fraction | None = None,
        selection: Selection = EVERYTHING,
        decoding: Decoding = USUAL,
    ) -> None:
        if rate is not None:
            raise UsageError(f"{path} has timestamps", hint="--fps is for images, and for video without timestamps")
        self.path = path
        self.lost = 0
        self.notes: list[str] = []
        self._selection = selection
        self._data = np.fromfile(path, np.uint8)
        durations = frame_durations(self._data.tobytes())
        self._times = [ms * _TICK for ms in accumulate(durations, initial=0)][:-1]
        head = list(islice(selected(self._all_frames(), selection), 2))
        if not head and durations and not selection.from_first:
            raise nothing_selected(path, selection)
        if len(head) < 2:
            raise SourceError(f"{path} has fewer than two frames that can be decoded", hint="flow needs two frames")
        height, width = head[0].image.shape[:2]
        rate = len(durations) / (sum(durations) * _TICK)
        count = selection.count_of(len(durations), rate)
        self.meta = VideoMeta(path.name, width, height, rate, count, _TICK, start=head[0].time, seekable=False)

    def frames(self) -> Iterator[Frame]:
        """The selected frames in order, with indices and times that count from the first of them."""
        return renumbered(selected(self._all_frames(), self._selection))

    def sample_pairs(self, *, count: int, skip: int) -> list[FramePair]:
        """At most `count` pairs, `skip` frames apart, of the first frames: OpenCV cannot seek to later ones."""
        frames = list(islice(self.frames(), min(count + skip, _BATCH)))
        return list(pair_up(frames, Pairing(skip, sliding=True)))

    def close(self) -> None:
        """Does nothing: no file stays open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _all_frames(self) -> Iterator[Frame]:
        self.lost = 0
        for start in range(0, len(self._times), _BATCH):
            times = self._times[start : start + _BATCH]
            _, animation = cv2.imdecodeanimation(self._data, start, len(times))
            for index, image in enumerate(animation.frames, start):
                rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGRA2RGB), np.uint8)
                yield Frame(index, self._times[index], rgb)
            if len(animation.frames) < len(times):
                self.lost = len(self._times) - start - len(animation.frames)
                return


def frame_durations(data: bytes) -> list[int]:
    """The duration of each frame in milliseconds; as in browsers, one of 10 or less counts as 100."""
    durations = []
    offset = 12
    while offset + 24 <= len(data):
        kind, size = data[offset : offset + 4], int.from_bytes(data[offset + 4 : offset + 8], "little")
        if kind == b"ANMF":
            duration = int.from_bytes(data[offset + 20 : offset + 23], "little")
            durations.append(duration if duration > 10 else 100)
        offset += 8 + size + size % 2
    return durations


SOURCE = WebpSource
