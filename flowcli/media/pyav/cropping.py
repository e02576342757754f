"""Cropping that a Matroska file asks for (RFC 9559, PixelCrop…), which FFmpeg leaves to its callers and PyAV hides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader
    from pathlib import Path

    from numpy.typing import NDArray

_EBML, _SEGMENT, _TRACKS, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1654AE6B, 0x1F43B675
_TRACK, _TYPE, _VIDEO = 0xAE, 0x83, 0xE0
_SIDES = {0x54CC: "left", 0x54DD: "right", 0x54BB: "top", 0x54AA: "bottom"}


@dataclass(frozen=True)
class Crop:
    """How many pixels of the stored frames are not shown at each side."""

    left: int = 0
    right: int = 0
    top: int = 0
    bottom: int = 0

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The part of a (height, width, 3) image that is shown; all of it where nothing would remain."""
        height, width = image.shape[:2]
        shown = image[self.top : height - self.bottom, self.left : width - self.right]
        return np.ascontiguousarray(shown) if shown.size else image

    def __str__(self) -> str:
        return f"{self.left} left, {self.right} right, {self.top} top, {self.bottom} bottom"


NO_CROP = Crop()


def crop_of(path: Path, track: int) -> Crop:
    """The cropping of the video track with this number, from 0, of a Matroska file; none of other files."""
    with path.open("rb") as file:
        size = path.stat().st_size
        top = _elements(file, size)
        first = next(top, None)
        if first is None or first[0] != _EBML:
            return NO_CROP
        tracks = [
            child
            for kind, end in top
            if kind == _SEGMENT
            for child in _first_tracks(file, end)
            if child.get(_TYPE) == 1
        ]
    sides = tracks[track] if track < len(tracks) else {}
    return Crop(**{name: sides[number] for number, name in _SIDES.items() if number in sides})


def _first_tracks(file: BufferedReader, end: int) -> Iterator[dict[int, int]]:
    """The type and cropping of each track of a segment."""
    for kind, stop in _elements(file, end):
        if kind == _CLUSTER:
            return
        if kind != _TRACKS:
            continue
        for entry, entry_end in _elements(file, stop):
            if entry == _TRACK:
                yield dict(_numbers(file, entry_end))
        return


def _numbers(file: BufferedReader, end: int) -> Iterator[tuple[int, int]]:
    for kind, stop in _elements(file, end):
        if kind == _VIDEO:
            yield from _numbers(file, stop)
        elif kind == _TYPE or kind in _SIDES:
            yield kind, int.from_bytes(file.read(stop - file.tell()), "big")


def _elements(file: BufferedReader, end: int) -> Iterator[tuple[int, int]]:
    """The identifier and end of each element up to `end`; at each, the file stands where its content begins."""
    while file.tell() < end:
        kind, size = _variable(file, keep_length=True), _variable(file, keep_length=False)
        if kind is None or size is None:
            return
        # A size of only ones is unknown: the content goes on to the end.
        stop = end if size < 0 else min(file.tell() + size, end)
        yield kind, stop
        file.seek(stop)


def _variable(file: BufferedReader, *, keep_length: bool) -> int | None:
    """A number of variable length; -1 for an unknown size, None at the end of the file."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    number = int.from_bytes(first + file.read(length - 1), "big")
    if keep_length:
        return number
    number -= 1 << 7 * length
    return -1 if number == (1 << 7 * length) - 1 else number
