"""Image files as arrays."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from flowcli.errors import SourceError, UsageError
from flowcli.system.opencv import cv2, decode

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

EXTENSIONS = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pnm"}
)
"""The extensions of images, in lower case."""
LARGEST_BYTES = 2**31
"""The largest image file that is read; OpenCV's limit of 179 megapixels takes less in uncompressed 16-bit colour."""


def read_image(path: Path) -> NDArray[np.uint8]:
    """The image at `path` as (height, width, 3) uint8 RGB, upright; alpha is dropped, grey and 16-bit are converted.

    Raises UsageError where the file does not exist, SourceError where it cannot be read or decoded.
    """
    try:
        size = path.stat().st_size
        if not (path.is_file() or path.is_fifo()) or size > LARGEST_BYTES:
            reason = "is too large an image" if size > LARGEST_BYTES else "is not a file"
            raise SourceError(f"{path} {reason}", hint="give an image file")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist", hint="check the path") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}", hint="give an image file") from error
    if not data:
        raise SourceError(f"{path} is empty", hint="copy or download it again")
    if _is_cut_jpeg(data):
        raise SourceError(f"{path} is cut off", hint="copy or download it again")
    return np.asarray(cv2.cvtColor(decode(path, data), cv2.COLOR_BGR2RGB), np.uint8)


def read_images(first: Path, second: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Two images as `read_image` reads them; raises UsageError where their sizes differ."""
    images = read_image(first), read_image(second)
    if images[0].shape != images[1].shape:
        sizes = " and ".join(f"{image.shape[1]} x {image.shape[0]}" for image in images)
        raise UsageError(f"the images differ in size: {sizes}", hint="give two images of one size")
    return images


def in_natural_order(paths: Iterable[Path]) -> list[Path]:
    """The paths that are images and not hidden, in natural order: 2 before 10."""
    found = (path for path in paths if path.suffix.lower() in EXTENSIONS and not path.name.startswith("."))
    return sorted((path for path in found if path.is_file()), key=_natural)


def _natural(path: Path) -> list[tuple[int, int, str]]:
    parts = re.findall(r"\d+|\D+", str(path))
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part.lower()) for part in parts]


def _is_cut_jpeg(data: bytes) -> bool:
    # OpenCV may fill the missing part of a truncated JPEG with grey. Within a scan FF is escaped, so that the last
    # end-of-image marker comes after the last start of a scan only in a whole file.
    return data.startswith(b"\xff\xd8\xff") and data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")
