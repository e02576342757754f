"""Images of film and phones that OpenCV does not read: EXR, DPX, TGA, HEIC, and JPEG 2000 of Y, Cb and Cr."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import av

from flowcli.errors import SourceError
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


def decode_still(path: Path, data: bytes, codec: str) -> tuple[Samples, Levels, bool]:
    """The grey or RGB samples of an image, upright, the range they may use, and whether they are linear light.

    Raises SourceError where it cannot be decoded.
    """
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


def _decoded(data: bytes, codec: str) -> Any:
    decoder: Any = av.CodecContext.create(codec, "r")
    decoder.options = {"max_pixels": str(MAX_PIXELS)}
    frames = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
    return frames[0] if frames else None
