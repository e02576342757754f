"""The pages of TIFF files, after the TIFF 6.0 and BigTIFF specifications."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""How TIFF and BigTIFF files begin."""
_ORDERS = {b"II": "<", b"MM": ">"}
_SUBFILE_TYPE = 254
_REDUCED_OR_MASK = 0b101
_DNG_VERSION = 50706


def pages_of(data: bytes | NDArray[np.uint8]) -> list[int]:
    """Where each page begins in a file's bytes, thumbnails and masks aside; none where it is no TIFF."""
    return [place for place, tags in _directories(_view(data)) if not tags.get(_SUBFILE_TYPE, 0) & _REDUCED_OR_MASK]


def is_camera_raw(data: bytes | NDArray[np.uint8]) -> bool:
    """Whether the file is of a camera's raw data, or shows only a thumbnail of it."""
    directories = list(_directories(_view(data)))
    return bool(directories) and (_DNG_VERSION in directories[0][1] or not pages_of(data))


def begin_with(page: int, data: NDArray[np.uint8]) -> None:
    """Changes the header so that the page that begins at byte `page` is the first, which OpenCV reads."""
    order = _ORDERS[data[:2].tobytes()]
    place, width = (8, "Q") if _is_big(data.data, order) else (4, "I")
    struct.pack_into(f"{order}{width}", data.data, place, page)


def _view(data: bytes | NDArray[np.uint8]) -> memoryview:
    return memoryview(data) if isinstance(data, bytes) else data.data


def _is_big(data: memoryview, order: str) -> bool:
    return bool(struct.unpack_from(f"{order}H", data, 2)[0] == 43)


def _directories(data: memoryview) -> Iterator[tuple[int, dict[int, int]]]:
    """Each directory's place and its tags with their first value, as far as the file is whole."""
    order = _ORDERS.get(bytes(data[:2]))
    if order is None:
        return
    try:
        if struct.unpack_from(f"{order}H", data, 2)[0] not in {42, 43}:
            return
        big = _is_big(data, order)
        count, entry, offset = (
            (f"{order}Q", f"{order}HHQQ", f"{order}Q") if big else (f"{order}H", f"{order}HHII", f"{order}I")
        )
        (place,) = struct.unpack_from(offset, data, 8 if big else 4)
        seen = set()
        while place and place not in seen:
            seen.add(place)
            (entries,) = struct.unpack_from(count, data, place)
            start = place + struct.calcsize(count)
            tags = {}
            for number in range(min(entries, 4096)):
                where = start + number * struct.calcsize(entry)
                tag, kind, _, value = struct.unpack_from(entry, data, where)
                if kind == 3:  # a short stands in the first two bytes of the field
                    (value,) = struct.unpack_from(f"{order}H", data, where + (12 if big else 8))
                tags[tag] = value
            (following,) = struct.unpack_from(offset, data, start + entries * struct.calcsize(entry))
            yield place, tags
            place = following
    except struct.error:
        return
