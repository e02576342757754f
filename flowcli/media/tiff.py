"""The pages of TIFF files, after the TIFF 6.0 and BigTIFF specifications."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""How TIFF and BigTIFF files begin."""
_SUBFILE_TYPE = 254
_REDUCED_OR_MASK = 0b101
_DNG_VERSION = 50706
_SHORT = 3


@dataclass(frozen=True)
class Pages:
    """Where each page of a file begins, thumbnails and masks aside; none where it is no TIFF.

    `is_cut` is true where the file names a page that it does not hold, `is_raw` where it is of a camera's raw data, or
    holds only a thumbnail of it.
    """

    places: tuple[int, ...] = ()
    is_cut: bool = False
    is_raw: bool = False

    @classmethod
    def of(cls, data: bytes | NDArray[np.uint8]) -> Self:
        """The pages of a file with these bytes."""
        view = memoryview(data) if isinstance(data, bytes) else data.data
        if bytes(view[:4]) not in MAGIC:
            return cls()
        directories: list[tuple[int, dict[int, int]]] = []
        is_cut = False
        try:
            for directory in _directories(view):
                directories.append(directory)
        except (struct.error, OverflowError):
            is_cut = True
        places = tuple(place for place, tags in directories if not tags.get(_SUBFILE_TYPE, 0) & _REDUCED_OR_MASK)
        is_raw = bool(directories) and (_DNG_VERSION in directories[0][1] or not places)
        return cls(places, is_cut, is_raw)


def begin_with(place: int, data: NDArray[np.uint8]) -> None:
    """Changes the header so that the page at `place` is the first, which OpenCV reads."""
    layout = _Layout.of(data.data)
    struct.pack_into(layout.offset, data.data, layout.first, place)


@dataclass(frozen=True)
class _Layout:
    """The formats of numbers, in `struct`'s notation, and where the first directory's place and a value stand."""

    order: str
    count: str
    entry: str
    offset: str
    first: int
    value: int

    @classmethod
    def of(cls, data: memoryview) -> Self:
        order = "<" if bytes(data[:1]) == b"I" else ">"
        if struct.unpack_from(f"{order}H", data, 2)[0] == 43:
            return cls(order, f"{order}Q", f"{order}HHQQ", f"{order}Q", 8, 12)
        return cls(order, f"{order}H", f"{order}HHII", f"{order}I", 4, 8)


def _directories(data: memoryview) -> Iterator[tuple[int, dict[int, int]]]:
    """Each directory's place and its tags with their first value; raises struct.error where the file is cut off."""
    layout = _Layout.of(data)
    (place,) = struct.unpack_from(layout.offset, data, layout.first)
    seen = set()
    while place and place not in seen:
        seen.add(place)
        (entries,) = struct.unpack_from(layout.count, data, place)
        start = place + struct.calcsize(layout.count)
        end = start + entries * struct.calcsize(layout.entry)
        (following,) = struct.unpack_from(layout.offset, data, end)
        yield place, dict(_tag(layout, data, where) for where in range(start, end, struct.calcsize(layout.entry)))
        place = following


def _tag(layout: _Layout, data: memoryview, where: int) -> tuple[int, int]:
    tag, kind, _, value = struct.unpack_from(layout.entry, data, where)
    if kind == _SHORT:  # it stands in the first two bytes of its field
        (value,) = struct.unpack_from(f"{layout.order}H", data, where + layout.value)
    return tag, value
