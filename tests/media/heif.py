"""HEIF files made by hand, after ISO/IEC 23008-12: one coded image, or a grid of them."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import Any

import numpy as np


def box(kind: bytes, *content: bytes, version: int | None = None, flags: int = 0) -> bytes:
    """A box, or a full box with a version."""
    head = b"" if version is None else struct.pack(">I", version << 24 | flags)
    body = head + b"".join(content)
    return struct.pack(">I", 8 + len(body)) + kind + body


def coded(image: np.ndarray) -> tuple[bytes, bytes]:
    """The configuration record and the data of an RGB image as HEVC."""
    import io

    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        options = {"x265-params": "log-level=none:lossless=1:bframes=0:frame-threads=1:pools=none", "tag": "hvc1"}
        stream: Any = container.add_stream("libx265", rate=Fraction(25), options=options)
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt = "yuv444p"
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    data = file.getvalue()
    place = data.index(b"hvcC") - 4
    record = data[place : place + struct.unpack(">I", data[place : place + 4])[0]]
    with av.open(io.BytesIO(data)) as container:
        packet = next(container.demux(video=0))
        return record, bytes(packet)


def heif(tiles: list[list[np.ndarray]], *, turned: int = 0) -> bytes:
    """A HEIF file of tiles in rows, which are a grid where there are several, turned anticlockwise by quarters."""
    rows, columns = len(tiles), len(tiles[0])
    tile_height, tile_width = tiles[0][0].shape[:2]
    parts = [coded(tile) for row in tiles for tile in row]
    count = len(parts)
    is_grid = count > 1
    primary = count + 1 if is_grid else 1
    width, height = tile_width * columns, tile_height * rows
    items = [box(b"infe", struct.pack(">HH", number, 0), b"hvc1\0", version=2) for number in range(1, count + 1)]
    properties = [parts[0][0], box(b"ispe", struct.pack(">II", tile_width, tile_height), version=0)]
    properties += [box(b"ispe", struct.pack(">II", width, height), version=0), box(b"irot", bytes([turned]))]
    links = [struct.pack(">HBBB", number, 2, 0x81, 2) for number in range(1, count + 1)]
    references = b""
    if is_grid:
        items.append(box(b"infe", struct.pack(">HH", primary, 0), b"grid\0", version=2))
        links.append(struct.pack(">HBBB", primary, 2, 3, 0x84))
        tile_numbers = struct.pack(f">{count}H", *range(1, count + 1))
        references = box(b"iref", box(b"dimg", struct.pack(">HH", primary, count), tile_numbers), version=0)
    else:
        links = [struct.pack(">HBBBB", 1, 3, 0x81, 2, 0x84)]
    grid = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)

    def meta(start: int) -> bytes:
        places, where = b"", start
        for number, (_, data) in enumerate(parts, 1):
            places += struct.pack(">HHHHII", number, 0, 0, 1, where, len(data))
            where += len(data)
        if is_grid:
            places += struct.pack(">HHHHII", primary, 1, 0, 1, 0, len(grid))
        return box(
            b"meta",
            box(b"hdlr", bytes(4), b"pict", bytes(13), version=0),
            box(b"pitm", struct.pack(">H", primary), version=0),
            box(b"iinf", struct.pack(">H", len(items)), *items, version=0),
            references,
            box(b"iprp", box(b"ipco", *properties), box(b"ipma", struct.pack(">I", len(links)), *links, version=0)),
            box(b"idat", grid) if is_grid else b"",
            box(b"iloc", struct.pack(">BBH", 0x44, 0, len(parts) + is_grid), places, version=1),
            version=0,
        )

    head = box(b"ftyp", b"heic", bytes(4), b"mif1heic")
    start = len(head) + len(meta(0)) + 8
    return head + meta(start) + box(b"mdat", *(data for _, data in parts))
