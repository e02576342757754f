"""OpenEXR files of float32, which OpenCV's wheels cannot write."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import av
import numpy as np

from flowcli.errors import SourceError
from flowcli.media.pyav.stream_facts import MAX_PIXELS

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from jaxtyping import Float
    from numpy.typing import NDArray

_LAYOUT = "gbrpf32le"
_TILED_OR_DEEP_OR_PARTS = 0x1A00


def encode_exr(pixels: Float[NDArray[np.float32], "height width 3"]) -> bytes:
    """The bytes of an EXR file whose channels R, G and B hold `pixels` bit for bit."""
    encoder: Any = av.CodecContext.create("exr", "w")
    encoder.height, encoder.width = pixels.shape[:2]
    encoder.pix_fmt, encoder.time_base = _LAYOUT, 1
    encoder.options = {"compression": "zip16", "format": "float"}
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=_LAYOUT)
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def decode_exr(path: Path, data: bytes) -> Float[NDArray[np.float32], "height width 3"]:
    """Channels R, G and B of an EXR file with the bytes `data`; `path` is for messages.

    Raises SourceError where the file is not EXR, damaged, or not of float32.
    """
    decoder: Any = av.CodecContext.create("exr", "r")
    decoder.options = {"max_pixels": str(MAX_PIXELS)}
    try:
        frames = [*decoder.decode(av.Packet(data)), *decoder.decode(None)] if data else []
        cut = bool(frames) and is_cut(data)
    except (av.FFmpegError, ValueError, IndexError, struct.error) as error:
        raise SourceError(f"{path} is not an EXR file, or damaged", hint="copy it or write it again") from error
    if not frames or cut:
        raise SourceError(f"{path} is {'cut off' if cut else 'not an EXR file'}", hint="copy it again")
    layout = frames[0].format.name
    # Conversion from other layouts would clip negative values.
    if layout not in {_LAYOUT, "gbrapf32le"}:
        raise SourceError(f"{path} has pixels of format {layout}", hint="store R, G and B as 32-bit float")
    return np.asarray(frames[0].to_ndarray()[..., :3], np.float32)


def is_cut(data: bytes) -> bool:
    """Whether the last lines of an EXR file are missing, which FFmpeg does not report; tiles are not checked."""
    if struct.unpack_from("<I", data, 4)[0] & _TILED_OR_DEEP_OR_PARTS:
        return False
    place = 8
    while data[place]:  # attributes: name, type, size, value
        for _ in range(2):
            place = data.index(0, place) + 1
        place += 4 + struct.unpack_from("<i", data, place)[0]
    table = place + 1
    offsets = np.frombuffer(data, "<u8", (struct.unpack_from("<Q", data, table)[0] - table) // 8, table)
    last = int(offsets.max())
    return last + 8 > len(data) or last + 8 + struct.unpack_from("<i", data, last + 4)[0] > len(data)
