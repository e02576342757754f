"""Pixels of OpenEXR files, any channel of which FFmpeg decodes as if it were luminance."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import av
import numpy as np

from flowcli.errors import SourceError
from flowcli.media.exr import DEEP, TILED, alone, at_origin, extracted, read_headers
from flowcli.media.pyav.stream_facts import MAX_PIXELS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    from jaxtyping import Float
    from numpy.typing import NDArray

    from flowcli.media.exr import Header

_FLOATS = {"grayf32le": np.float32, "grayf16le": np.float16}
# FFmpeg decodes no others, or, by DWAA, wrong values.
_DECODED = ("none", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "B44", "B44A")


def exr_headers(path: Path, data: bytes) -> list[Header]:
    """The header of each part of an EXR file with the bytes `data`; raises SourceError, which names `path`."""
    try:
        return read_headers(data)
    except ValueError as error:
        raise SourceError(f"{path} {error}", hint="copy it or write it again") from error


def decode_exr(
    path: Path, data: bytes, names: Sequence[str], *, part: int = 0
) -> Float[NDArray[np.float32], "height width channels"]:
    """Channels of one part of an EXR file with the bytes `data`, in the order of `names`; `path` is for messages.

    They have the size of the display window, and are NaN outside of the data window. Raises SourceError where the
    file is damaged, or its pixels are no floats or compressed in a way that is not decoded.
    """
    headers = exr_headers(path, data)
    try:
        data, header = extracted(data, headers, part) if len(headers) > 1 else (data, headers[0])
    except ValueError as error:
        raise SourceError(f"{path} {error}", hint="copy it or write it again") from error
    for channel in header.channels:
        if channel.name in names and (channel.kind == "uint32" or channel.sampling != (1, 1)):
            raise SourceError(f"{path} has no float for every pixel in {channel.name}", hint="write 32-bit floats")
    if header.compression not in _DECODED:
        raise SourceError(
            f"{path} is compressed by {header.compression}, which is not read", hint="write it with ZIP, ZIPS or PIZ"
        )
    try:
        whole = at_origin(data, header)
        planes = [_decoded(path, alone(whole, header, name) if len(header.names) > 1 else whole) for name in names]
        cut = is_cut(data)
    except (av.FFmpegError, ValueError, IndexError, struct.error) as error:
        raise SourceError(f"{path} is not an EXR file, or damaged", hint="copy it or write it again") from error
    if cut:
        raise SourceError(f"{path} is cut off", hint="copy it again")
    return _shown(path, np.stack(planes, axis=-1), header)


def _shown(
    path: Path, pixels: Float[NDArray[np.float32], "rows columns channels"], header: Header
) -> Float[NDArray[np.float32], "height width channels"]:
    """The display window of pixels that fill the data window; NaN where it is larger."""
    if header.data_window == header.display_window:
        return pixels
    left, top, right, bottom = header.display_window
    width, height = right + 1 - left, bottom + 1 - top
    if width <= 0 or height <= 0 or width * height > MAX_PIXELS:
        raise SourceError(f"{path} says that it shows {width} x {height} pixels", hint="copy it or write it again")
    shown = np.full((height, width, pixels.shape[2]), np.nan, np.float32)
    x, y = header.data_window[0] - left, header.data_window[1] - top
    inside = pixels[max(0, -y) : max(0, height - y), max(0, -x) : max(0, width - x)]
    shown[max(0, y) : max(0, y) + inside.shape[0], max(0, x) : max(0, x) + inside.shape[1]] = inside
    return shown


def _decoded(path: Path, data: bytes) -> Float[NDArray[np.float32], "height width"]:
    """The luminance of a file."""
    decoder: Any = av.CodecContext.create("exr", "r")
    decoder.options = {"max_pixels": str(MAX_PIXELS)}
    frames = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
    if not frames:
        raise SourceError(f"{path} is not an EXR file", hint="copy it again")
    (plane,) = frames[0].planes
    # Conversion by FFmpeg would clip negative values.
    values = np.frombuffer(plane, _FLOATS[frames[0].format.name]).reshape(frames[0].height, -1)
    return values[:, : frames[0].width].astype(np.float32)


def is_cut(data: bytes) -> bool:
    """Whether the last lines of an EXR file are missing, which FFmpeg does not report; tiles are not checked."""
    if struct.unpack_from("<I", data, 4)[0] & (TILED | DEEP):
        return False
    table = read_headers(data)[0].end + 1
    offsets = np.frombuffer(data, "<u8", (struct.unpack_from("<Q", data, table)[0] - table) // 8, table)
    last = int(offsets.max())
    return last + 8 > len(data) or last + 8 + struct.unpack_from("<i", data, last + 4)[0] > len(data)
