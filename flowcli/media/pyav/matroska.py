"""The structure of Matroska files (RFC 8794, RFC 9559): whether one ends whole or is joined, and its cropping."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from flowcli.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

_HEADER, _SEGMENT, _CLUSTER, _TRACKS = 0x1A45DFA3, 0x18538067, 0x1F43B675, 0x1654AE6B
_VOID, _CHECKSUM = 0xEC, 0xBF
# Seek head, information, cues, chapters, attachments, tags.
_IN_SEGMENT = {
    _CLUSTER, _TRACKS, 0x114D9B74, 0x1549A966, 0x1C53BB6B, 0x1043A770, 0x1941A469, 0x1254C367, _VOID, _CHECKSUM,
}  # fmt: skip
# Timestamp, simple block, block group, previous size, position, encrypted block, silent tracks.
_IN_CLUSTER = {0xE7, 0xA3, 0xA0, 0xAB, 0xA7, 0xAF, 0x5854, _VOID, _CHECKSUM}
_TRACK, _TYPE, _VIDEO = 0xAE, 0x83, 0xE0
_OF_VIDEO = 1
_MOST_JOINED = 2
_SIDES = {0x54CC: "left", 0x54DD: "right", 0x54BB: "top", 0x54AA: "bottom"}


class Element(NamedTuple):
    """An element's identity, and where its data stands.

    Those whose size is not stated, as in recordings of a live stream, or that are cut off, are not `whole` and end
    with what they are in.
    """

    identity: int
    start: int
    end: int
    whole: bool


def ends_whole(path: Path) -> bool:
    """Whether the elements of the file lead to its very end, and those of its last cluster to that cluster's."""
    with path.open("rb") as file, suppress(ValueError):
        top = list(_elements(file, 0, path.stat().st_size))
        segments = [one for one in top if one.identity == _SEGMENT]
        if not segments or not _are_whole(top, {_HEADER, _SEGMENT, _VOID}):
            return False
        inside = list(_elements(file, segments[-1].start, segments[-1].end))
        clusters = [one for one in inside if one.identity == _CLUSTER]
        return bool(
            clusters
            and _are_whole(inside, _IN_SEGMENT)
            and _are_whole(_elements(file, clusters[-1].start, clusters[-1].end), _IN_CLUSTER)
        )
    return False


def is_joined(path: Path) -> bool:
    """Whether two Matroska files stand one behind the other, each with a clock of its own.

    Raises SourceError where there are more of them, as FFmpeg would end before the third.
    """
    count = 0
    with path.open("rb") as file, suppress(ValueError):
        for one in _elements(file, 0, path.stat().st_size):
            count += one.identity == _HEADER
            if not count:
                break
    if count > _MOST_JOINED:
        raise SourceError(
            f"{path} is {count} Matroska files one behind the other, of which FFmpeg reads two",
            hint="join the original files with mkvmerge, or with ffmpeg's concat demuxer",
        )
    return count > 1


def cropped_sides(path: Path, track: int) -> dict[str, int]:
    """The pixels that are not shown at each side of the video track with this number, from 0 (PixelCropLeft, …)."""
    with path.open("rb") as file, suppress(ValueError):
        top = _elements(file, 0, path.stat().st_size)
        if next(top).identity != _HEADER:
            return {}
        segment = next((one for one in top if one.identity == _SEGMENT), None)
        for one in () if segment is None else _elements(file, segment.start, segment.end):
            if one.identity == _TRACKS:
                entries = [entry for entry in _elements(file, one.start, one.end) if entry.identity == _TRACK]
                numbers = [dict(_numbers(file, entry)) for entry in entries]
                videos = [found for found in numbers if found.get(_TYPE) == _OF_VIDEO]
                sides = videos[track] if track < len(videos) else {}
                return {_SIDES[identity]: pixels for identity, pixels in sides.items() if identity in _SIDES}
            if one.identity == _CLUSTER:
                break
    return {}


def _numbers(file: BinaryIO, parent: Element) -> Iterator[tuple[int, int]]:
    """The type and cropping of a track."""
    for one in _elements(file, parent.start, parent.end):
        if one.identity == _VIDEO:
            yield from _numbers(file, one)
        elif one.identity == _TYPE or one.identity in _SIDES:
            file.seek(one.start)
            yield one.identity, int.from_bytes(file.read(one.end - one.start), "big")


def _are_whole(elements: Iterable[Element], known: set[int]) -> bool:
    return all(one.whole and one.identity in known for one in elements)


def _elements(file: BinaryIO, start: int, end: int) -> Iterator[Element]:
    """The elements from `start` up to `end`; raises ValueError where something else stands there."""
    while start < end:
        file.seek(start)
        head = file.read(12)
        identity, length = _number(head, keep_marker=True)
        size, size_length = _number(head[length:], keep_marker=False)
        start += length + size_length
        whole = size != (1 << 7 * size_length) - 1 and start + size <= end
        stop = start + size if whole else end
        yield Element(identity, start, stop, whole)
        start = stop


def _number(data: bytes, *, keep_marker: bool) -> tuple[int, int]:
    """A number of variable length and its length in bytes, which its first bit that is set marks."""
    if not data or not data[0]:
        raise ValueError(data)
    length = 9 - data[0].bit_length()
    number = int.from_bytes(data[:length], "big")
    return (number if keep_marker else number & ((1 << 7 * length) - 1)), length
