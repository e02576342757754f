"""HEIF images: one coded image, or a grid of them, as phones store; after ISO/IEC 23008-12.

FFmpeg shows each tile of a grid as a stream whose number is that of the item, and PyAV hides how they belong together.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import av
import numpy as np

from flowcli.errors import SourceError
from flowcli.media.pyav.boxes import boxes_in
from flowcli.media.pyav.colours import Colours
from flowcli.media.pyav.orientation import orientation_of
from flowcli.media.pyav.stream_facts import check_size

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from jaxtyping import UInt8
    from numpy.typing import NDArray

    Image = UInt8[NDArray[np.uint8], "height width 3"]

_WIDE = 1
"""The flag of a grid whose size has 32 bits."""


@dataclass(frozen=True)
class Grid:
    """An image of `columns` x `rows` tiles, named by their items row by row, turned anticlockwise by `quarters`."""

    width: int
    height: int
    columns: int
    rows: int
    tiles: tuple[int, ...]
    quarters: int = 0


def decode_heif(path: Path, data: bytes) -> Image:
    """The primary image of a HEIF file, upright; raises SourceError where it is of a kind that is not read."""
    with av.open(io.BytesIO(data), "r", format="mov") as container:
        kinds = av.stream.Disposition
        streams = [one for one in container.streams.video if not one.disposition & kinds.dependent]
        if not streams:
            return _joined(path, container, grid_of(path, data))
        stream = next((one for one in streams if one.disposition & kinds.default), streams[0])
        frame = _first_frame(path, container, stream)
        return orientation_of(frame).apply(Colours(path).rgb(frame, frame.width, frame.height))


def grid_of(path: Path, data: bytes) -> Grid:
    """The grid that is the primary image; raises SourceError where that is something else."""
    boxes = dict(boxes_in(data, 0, len(data)))
    meta = dict(boxes_in(data, boxes[b"meta"].start + 4, boxes[b"meta"].stop))
    (item,) = struct.unpack_from(">H", data, meta[b"pitm"].start + 4)
    tiles = _tiles(data, meta[b"iref"], item)
    properties = _properties(data, meta[b"iprp"], item)
    start = meta[b"idat"].start if b"idat" in meta else len(data)
    _, flags, rows, columns = struct.unpack_from(">BBBB", data, start)
    width, height = struct.unpack_from(">II" if flags & _WIDE else ">HH", data, start + 4)
    if b"imir" in properties or len(tiles) != (rows + 1) * (columns + 1):
        raise SourceError(f"{path} is an image in tiles that cannot be joined", hint="convert it to PNG first")
    quarters = data[properties[b"irot"].start] & 3 if b"irot" in properties else 0
    return Grid(width, height, columns + 1, rows + 1, tiles, quarters)


def _joined(path: Path, container: Any, grid: Grid) -> Image:
    check_size(path, grid)
    streams = {stream.id: stream for stream in container.streams.video}
    rows = []
    for row in range(grid.rows):
        tiles = []
        for item in grid.tiles[row * grid.columns : (row + 1) * grid.columns]:
            frame = _first_frame(path, container, streams[item])
            tiles.append(Colours(path).rgb(frame, frame.width, frame.height))
        rows.append(np.concatenate(tiles, axis=1))
    whole = np.concatenate(rows)[: grid.height, : grid.width]
    return np.ascontiguousarray(np.rot90(whole, grid.quarters))


def _first_frame(path: Path, container: Any, stream: Any) -> Any:
    check_size(path, stream.codec_context)
    container.seek(0)
    for packet in container.demux(stream):
        for frame in packet.decode():
            return frame
    raise SourceError(f"{path} is damaged", hint="copy or download it again")


def _tiles(data: bytes, references: range, item: int) -> tuple[int, ...]:
    for kind, place in boxes_in(data, references.start + 4, references.stop):
        source, count = struct.unpack_from(">HH", data, place.start)
        if kind == b"dimg" and source == item:
            return struct.unpack_from(f">{count}H", data, place.start + 4)
    return ()


def _properties(data: bytes, place: range, item: int) -> dict[bytes, range]:
    """The properties of an item by their kind."""
    boxes = dict(boxes_in(data, place.start, place.stop))
    every = list(boxes_in(data, boxes[b"ipco"].start, boxes[b"ipco"].stop))
    where = boxes[b"ipma"].start
    version, wide = data[where], data[where + 3] & 1
    (entries,) = struct.unpack_from(">I", data, where + 4)
    where += 8
    for _ in range(entries):
        (number,) = struct.unpack_from(">H" if version < 1 else ">I", data, where)
        where += 2 if version < 1 else 4
        count, size = data[where], 2 if wide else 1
        links = [int.from_bytes(data[at : at + size], "big") for at in range(where + 1, where + 1 + count * size, size)]
        where += 1 + count * size
        if number == item:
            return dict(every[(link & (0x7FFF if wide else 0x7F)) - 1] for link in links)
    return {}
