"""The boxes of ISO base media files, such as MP4 and HEIF (ISO/IEC 14496-12), and the cropping that they ask for."""

from __future__ import annotations

import struct
from contextlib import suppress
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_LARGEST_INDEX = 2**28
"""Bytes of the largest index that is searched."""
_LONGEST_HEAD = 2**20
"""Bytes within which the frames of a file begin that has nothing else before them."""
_MAY_LEAD = frozenset({b"ftyp", b"free", b"skip", b"wide", b"uuid", b"pnot"})
"""The kinds of boxes that may come before frames and index."""
_SAMPLE_ENTRY = 78
"""Bytes of a video's sample description before the boxes within it."""


def boxes_in(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, range]]:
    """The kind of each box, and where its content stands."""
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1:
            (size,), head = struct.unpack_from(">Q", data, start + 8), 16
        stop = start + size if size else end
        if stop < start + head:
            return
        yield kind, range(start + head, min(stop, end))
        start = stop


def has_index_behind(peek: Callable[[int], bytes]) -> bool:
    """Whether the frames of an MP4 come before the index that tells where they are; `peek` gives its first bytes."""
    start, kind = 0, b"ftyp"
    while kind in _MAY_LEAD and start < _LONGEST_HEAD:
        head = peek(start + 8)[start:]
        if len(head) < 8:
            return False
        size, kind = struct.unpack(">I4s", head)
        start += max(size, len(head))
    return kind == b"mdat"


def cropped_sides(path: Path, track: int) -> dict[str, int]:
    """The pixels outside the clean aperture at each side of the video track with this number, from 0; else nothing."""
    index = _index_of(path)
    with suppress(struct.error, KeyError, IndexError, ZeroDivisionError):
        tracks = [_first(index, place, b"mdia") for kind, place in boxes_in(index, 0, len(index)) if kind == b"trak"]
        videos = [one for one in tracks if _handler(index, one) == b"vide"]
        table = _first(index, _first(index, videos[track], b"minf"), b"stbl")
        entries = _first(index, table, b"stsd")
        _, entry = next(boxes_in(index, entries.start + 8, entries.stop))
        aperture = _first(index, range(entry.start + _SAMPLE_ENTRY, entry.stop), b"clap")
        return _outside(
            struct.unpack_from(">8i", index, aperture.start), *struct.unpack_from(">HH", index, entry.start + 24)
        )
    return {}


def _outside(aperture: tuple[int, ...], width: int, height: int) -> dict[str, int]:
    """The pixels around an aperture of a width and height whose centre is off that of the frame: section 12.1.4."""
    shown_width, shown_height, x, y = (Fraction(a, b) for a, b in zip(aperture[::2], aperture[1::2], strict=True))
    left, top = round((width - shown_width) / 2 + x), round((height - shown_height) / 2 + y)
    right, bottom = width - round(shown_width) - left, height - round(shown_height) - top
    sides = {"left": left, "right": right, "top": top, "bottom": bottom}
    return {} if min(sides.values()) < 0 else {side: pixels for side, pixels in sides.items() if pixels}


def is_followed(path: Path) -> bool:
    """Whether another MP4 stands behind the first one, of which FFmpeg reads nothing."""
    return sum(kind == b"ftyp" for kind, _ in _outermost(path)) > 1


def _index_of(path: Path) -> bytes:
    """The content of the box `moov`; nothing where there is none, or where it is too large."""
    place = next((place for kind, place in _outermost(path) if kind == b"moov"), range(0))
    if len(place) > _LARGEST_INDEX:
        return b""
    with path.open("rb") as file:
        file.seek(place.start)
        return file.read(len(place))


def _outermost(path: Path) -> Iterator[tuple[bytes, range]]:
    """The kind of each outermost box of a file, and where its content stands; nothing where it has no such boxes."""
    start, end = 0, path.stat().st_size
    with path.open("rb") as file:
        while start + 8 <= end:
            file.seek(start)
            kind, place = next(boxes_in(file.read(16).ljust(16, b"\0"), 0, end - start), (b"", range(0)))
            if not kind.isalnum():
                return
            yield kind, range(start + place.start, start + place.stop)
            start += place.stop


def _first(data: bytes, parent: range, kind: bytes) -> range:
    return dict(reversed(list(boxes_in(data, parent.start, parent.stop))))[kind]


def _handler(index: bytes, media: range) -> bytes:
    place = _first(index, media, b"hdlr")
    return index[place.start + 8 : place.start + 12]
