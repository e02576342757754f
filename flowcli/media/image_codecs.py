"""Which images PyAV decodes instead of OpenCV, by their first bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcli.media.animated import brands_of
from flowcli.media.jpeg import END as END_OF_JPEG

if TYPE_CHECKING:
    from pathlib import Path

_CODECS = {b"v/1\x01": "exr", b"SDPX": "dpx", b"XPDS": "dpx"}
_JPEG_2000 = (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")
_HEIF = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"})
HEAD = 256
"""The bytes that tell the codec of an image."""


def codec_of(path: Path, head: bytes) -> str | None:
    """FFmpeg's name of an image's codec, or `heif`, by its first bytes; None for what OpenCV decodes.

    TGA has no bytes of its own and is told by its extension.
    """
    if head[4:8] == b"ftyp" and _HEIF & set(brands := brands_of(head)) and b"avif" not in brands:
        return "heif"
    return _CODECS.get(head[:4]) or ("targa" if path.suffix.lower() == ".tga" else None)


def is_whole_jpeg_2000(data: bytes) -> bool:
    """Whether a file is a JPEG 2000 that is not cut off, which PyAV decodes where OpenCV does not."""
    return data.startswith(_JPEG_2000) and data.rstrip(b"\0").endswith(END_OF_JPEG)
