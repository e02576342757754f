"""The structure of Matroska and WebM files (RFC 8794, RFC 9559), as far as it shows whether one ends whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

_HEADER, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
_VOID, _CHECKSUM = 0xEC, 0xBF
# Seek head, information, tracks, cues, chapters, attachments, tags.
_IN_SEGMENT = {
    _CLUSTER, 0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1043A770, 0x1941A469, 0x1254C367, _VOID, _CHECKSUM,
}  # fmt: skip
# Timestamp, simple block, block group, previous size, position, encrypted block, silent tracks.
_IN_CLUSTER = {0xE7, 0xA3, 0xA0, 0xAB, 0xA7, 0xAF, 0x5854, _VOID, _CHECKSUM}


def ends_whole(path: Path) -> bool:
    """Whether the elements of the file lead to its very end, and those of its last cluster to that cluster's.

    False where a size is not stated, as in recordings of a live stream.
    """
    with path.open("rb") as file:
        try:
            top = {identity: (start, end) for identity, start, end in _elements(file, 0, path.stat().st_size)}
            if not top.keys() <= {_HEADER, _SEGMENT, _VOID} or _SEGMENT not in top:
                return False
            last = None
            for identity, start, end in _elements(file, *top[_SEGMENT]):
                if identity not in _IN_SEGMENT:
                    return False
                last = (start, end) if identity == _CLUSTER else last
            return last is not None and all(identity in _IN_CLUSTER for identity, *_ in _elements(file, *last))
        except ValueError:
            return False


def _elements(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The identity, start and end of the data of every element from `start` on; ValueError unless they end at `end`."""
    while start < end:
        file.seek(start)
        head = file.read(12)
        identity, length = _number(head, keep_marker=True)
        size, size_length = _number(head[length:], keep_marker=False)
        start += length + size_length
        if size == (1 << 7 * size_length) - 1 or start + size > end:
            raise ValueError(start)
        yield identity, start, start + size
        start += size


def _number(data: bytes, *, keep_marker: bool) -> tuple[int, int]:
    """A number of variable length and its length in bytes, which its first bit that is set marks."""
    if not data or not data[0]:
        raise ValueError(data)
    length = 9 - data[0].bit_length()
    number = int.from_bytes(data[:length], "big")
    return (number if keep_marker else number & ((1 << 7 * length) - 1)), length
