"""OpenEXR files as bytes: their header, and files of named channels (openexr.com/en/latest/OpenEXRFileLayout.html)."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Window = tuple[int, int, int, int]

MAGIC = b"v/1\x01"
COMPRESSIONS = ("none", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "B44", "B44A", "DWAA", "DWAB")
KINDS = ("uint32", "float16", "float32")
LONG_NAMES = 0x400
TILED, DEEP, PARTS = 0x200, 0x800, 0x1000
_ZIP, _ROWS = 3, 16
_ROWS_OF = {"none": 1, "RLE": 1, "ZIPS": 1, "ZIP": 16, "PXR24": 16}


@dataclass(frozen=True)
class Channel:
    """A channel of a file: its name, one of `KINDS`, and its x and y subsampling."""

    name: str
    kind: str
    sampling: tuple[int, int]


@dataclass(frozen=True)
class Header:
    """The header of one part of a file. Windows are (left, top, right, bottom), inclusive.

    `texts` are the attributes of type string. `start` and `end` are the places of the first attribute and after the
    last, `place` that of the channel list, `windows` those of both windows. `chunks` is their number, which files of
    several parts state.
    """

    channels: tuple[Channel, ...]
    compression: str
    data_window: Window
    display_window: Window
    texts: dict[str, str]
    start: int
    end: int
    place: int
    windows: tuple[int, int]
    chunks: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all channels."""
        return tuple(channel.name for channel in self.channels)


def read_headers(data: bytes) -> list[Header]:
    """The headers of a file's parts; raises ValueError for what is not EXR, is damaged, or has deep pixels."""
    if data[:4] != MAGIC:
        raise ValueError("is not an EXR file")
    try:
        flags = struct.unpack_from("<I", data, 4)[0]
        if flags & DEEP:
            raise ValueError("has deep pixels")
        place = 8
        headers: list[Header] = []
        while not headers or (flags & PARTS and data[place]):
            header, place = _header(data, place)
            headers.append(header)
        return headers
    except (KeyError, IndexError, struct.error, UnicodeDecodeError) as error:
        raise ValueError("is damaged") from error


def extracted(data: bytes, headers: Sequence[Header], number: int) -> tuple[bytes, Header]:
    """One part of a file of several as a file of its own, and its header; raises ValueError where it is damaged."""
    header = headers[number]
    tiled = header.texts.get("type") == "tiledimage"
    try:
        counts = [each.chunks or 0 for each in headers]
        table = headers[-1].end + 2 + 8 * sum(counts[:number])
        places = np.frombuffer(data, "<u8", counts[number], table).tolist()
        # The number of the part, the coordinates of a chunk, its size, its pixels.
        fields = 5 if tiled else 2
        sizes = [struct.unpack_from("<i", data, place + 4 * fields)[0] + 4 * fields for place in places]
    except (ValueError, struct.error) as error:
        raise ValueError("is damaged") from error
    head = MAGIC + struct.pack("<I", data[4] | LONG_NAMES | (TILED if tiled else 0))
    head += data[header.start : header.end + 1]
    offsets = len(head) + 8 * len(sizes) + np.cumsum([0, *sizes[:-1]], dtype=np.int64)
    chunks = [data[place + 4 : place + 4 + size] for place, size in zip(places, sizes, strict=True)]
    whole = head + offsets.astype("<u8").tobytes() + b"".join(chunks)
    return whole, read_headers(whole)[0]


def at_origin(data: bytes, header: Header) -> bytes:
    """The same file with its data window moved to the origin, and no other pixels to show.

    Decoders differ in what they make of windows that start elsewhere. Raises struct.error or ValueError where the file
    is damaged.
    """
    left, top, right, bottom = header.data_window
    moved = bytearray(data)
    for place in header.windows:
        struct.pack_into("<4i", moved, place, 0, 0, right - left, bottom - top)
    if top and not data[5] & (TILED >> 8):
        count = -(-(bottom - top + 1) // _ROWS_OF.get(header.compression, 32))
        for place in np.frombuffer(data, "<u8", count, header.end + 1).tolist():
            struct.pack_into("<i", moved, place, struct.unpack_from("<i", data, place)[0] - top)
    return bytes(moved)


def alone(data: bytes, header: Header, name: str) -> bytes:
    """The same file with channel `name` called Y and all others by names that mean nothing, at the same size.

    So decoders that know only red, green, blue and luminance decode any channel. Needs a second channel.
    """
    other = next(channel for channel in header.names if channel != name)
    freed = len(name.encode()) - 1
    entries, start = [], header.place
    for channel in header.names:
        length = len(channel.encode())
        end = start + length + 17
        renamed = b"Y" if channel == name else b"_" * (length + (freed if channel == other else 0))
        entries.append(renamed + data[start + length : end])
        start = end
    return data[: header.place] + b"".join(entries) + data[start:]


def encode(channels: Mapping[str, NDArray[np.floating]], *, texts: Mapping[str, str] | None = None) -> bytes:
    """A file of channels (height, width) of one size, each float16 or float32, compressed losslessly by ZIP.

    `texts` become attributes of type string.
    """
    names = sorted(channels)
    height, width = channels[names[0]].shape
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    listed = b"".join(
        name.encode() + struct.pack("<Bi4B2i", 0, KINDS.index(channels[name].dtype.name), 0, 0, 0, 0, 1, 1)
        for name in names
    )
    attributes = [
        ("channels", "chlist", listed + b"\0"),
        ("compression", "compression", bytes([_ZIP])),
        ("dataWindow", "box2i", window),
        ("displayWindow", "box2i", window),
        ("lineOrder", "lineOrder", b"\0"),
        ("pixelAspectRatio", "float", struct.pack("<f", 1)),
        ("screenWindowCenter", "v2f", struct.pack("<2f", 0, 0)),
        ("screenWindowWidth", "float", struct.pack("<f", 1)),
        *((name, "string", text.encode()) for name, text in (texts or {}).items()),
    ]
    long = any(len(name) > 31 for name in (*names, *(texts or {})))
    head = MAGIC + struct.pack("<I", 2 | (LONG_NAMES if long else 0))
    for name, kind, value in attributes:
        head += name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(value)) + value
    head += b"\0"
    rows = [np.ascontiguousarray(channels[name]).view(np.uint8).reshape(height, -1) for name in names]
    lines = np.hstack(rows)
    blocks = [_chunk(top, lines[top : top + _ROWS]) for top in range(0, height, _ROWS)]
    sizes = [0, *(len(block) for block in blocks)]
    offsets = len(head) + 8 * len(blocks) + np.cumsum(sizes[:-1], dtype="<u8")
    return head + offsets.astype("<u8").tobytes() + b"".join(blocks)


def _chunk(top: int, lines: NDArray[np.uint8]) -> bytes:
    """Lines compressed as ZIP does: even bytes before odd ones, each as its difference from the last."""
    raw = lines.ravel()
    split = np.concatenate((raw[::2], raw[1::2]))
    split[1:] = split[1:] - split[:-1] + np.uint8(128)
    packed = zlib.compress(split.tobytes(), 4)  # the level of OpenEXR
    body = packed if len(packed) < raw.size else raw.tobytes()
    return struct.pack("<2i", top, len(body)) + body


def _header(data: bytes, place: int) -> tuple[Header, int]:
    """The header that starts at `place`, and the place after it."""
    found, begin = {}, place
    while data[place]:
        name, place = _word(data, place)
        kind, place = _word(data, place)
        size = struct.unpack_from("<i", data, place)[0]
        place += 4
        if not 0 <= size <= len(data) - place:
            raise ValueError("is damaged")
        found[name] = kind, place, size
        place += size
    _, start, size = found["channels"]
    number = data[found["compression"][1]]
    header = Header(
        channels=tuple(_channels(data[start : start + size])),
        compression=COMPRESSIONS[number] if number < len(COMPRESSIONS) else f"number {number}",
        data_window=struct.unpack_from("<4i", data, found["dataWindow"][1]),
        display_window=struct.unpack_from("<4i", data, found["displayWindow"][1]),
        texts={
            name: data[at : at + length].decode("utf-8", "replace")
            for name, (kind, at, length) in found.items()
            if kind == "string"
        },
        start=begin,
        end=place,
        place=start,
        windows=(found["dataWindow"][1], found["displayWindow"][1]),
        chunks=struct.unpack_from("<i", data, found["chunkCount"][1])[0] if "chunkCount" in found else None,
    )
    return header, place + 1


def _word(data: bytes, place: int) -> tuple[str, int]:
    """The name that starts at `place`, and the place after it."""
    end = data.find(0, place, place + 256)
    if end < 0:
        raise ValueError("is damaged")
    return data[place:end].decode("utf-8", "replace"), end + 1


def _channels(listed: bytes) -> Iterator[Channel]:
    """The channels of a channel list."""
    place = 0
    while listed[place]:
        end = listed.index(0, place)
        kind, _, *sampling = struct.unpack_from("<iI2i", listed, end + 1)
        yield Channel(listed[place:end].decode("utf-8"), KINDS[kind], (sampling[0], sampling[1]))
        place = end + 17
