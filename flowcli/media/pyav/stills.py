"""Images of film and phones that OpenCV does not read: EXR, DPX, TGA, HEIC, and JPEG 2000 of Y, Cb and Cr."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import av
import numpy as np

from flowcli.errors import SourceError
from flowcli.media.animated import brands_of
from flowcli.media.jpeg import END as END_OF_JPEG
from flowcli.media.levels import of_bits
from flowcli.media.pyav.colours import Colours
from flowcli.media.pyav.exr import is_cut
from flowcli.media.pyav.heif import decode_heif
from flowcli.media.pyav.orientation import orientation_of
from flowcli.media.pyav.samples import full_range, is_deep, samples_of
from flowcli.media.pyav.stream_facts import MAX_PIXELS, check_size

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from jaxtyping import Shaped
    from numpy.typing import NDArray

    from flowcli.media.levels import Levels

    Samples = Shaped[NDArray[Any], "height width *channels"]

_CODECS = {b"v/1\x01": "exr", b"SDPX": "dpx", b"XPDS": "dpx"}
_JPEG_2000 = (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")
_HEIF = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"})


def is_still(path: Path, data: bytes | NDArray[np.uint8]) -> bool:
    """Whether a file holds an image that `decode_still` reads, by its first bytes; TGA has none of its own."""
    return _codec_of(path, bytes(data[:256])) is not None


def is_whole_jpeg_2000(data: bytes) -> bool:
    """Whether a file is a JPEG 2000 that is not cut off, which `decode_still` reads too."""
    return data.startswith(_JPEG_2000) and data.rstrip(b"\0").endswith(END_OF_JPEG)


def decode_still(path: Path, data: bytes) -> tuple[Samples, Levels, bool]:
    """The grey or RGB samples of an image, upright, the range they may use, and whether they are linear light.

    Raises SourceError where it cannot be decoded.
    """
    codec = _codec_of(path, data[:256]) or "jpeg2000"
    try:
        if codec == "heif":
            return decode_heif(path, data), of_bits(8), False
        frame = _decoded(data, codec)
        cut = codec == "exr" and is_cut(data)
    except (av.FFmpegError, ValueError, LookupError, struct.error) as error:
        raise SourceError(f"{path} is not an image that can be read", hint="convert it to PNG or TIFF") from error
    if frame is None or cut:
        raise SourceError(f"{path} is {'cut off' if cut else 'damaged'}", hint="copy or download it again")
    check_size(path, frame)
    orientation = orientation_of(frame)
    if is_deep(frame):
        return orientation.apply(samples_of(frame)), full_range(frame), codec == "exr"
    return orientation.apply(Colours(path).rgb(frame, frame.width, frame.height)), of_bits(8), False


def _codec_of(path: Path, head: bytes) -> str | None:
    if head[4:8] == b"ftyp" and _HEIF & set(brands := brands_of(head)) and b"avif" not in brands:
        return "heif"
    return _CODECS.get(head[:4]) or ("targa" if path.suffix.lower() == ".tga" else None)


def _decoded(data: bytes, codec: str) -> Any:
    decoder: Any = av.CodecContext.create(codec, "r")
    decoder.options = {"max_pixels": str(MAX_PIXELS)}
    frames = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
    return frames[0] if frames else None
