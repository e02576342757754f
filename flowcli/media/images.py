"""Image files as arrays."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from flowcli.errors import SourceError, UsageError
from flowcli.media.addresses import refuse_address
from flowcli.media.animated import is_animated
from flowcli.media.image_codecs import HEAD, codec_of, is_whole_jpeg_2000
from flowcli.media.jpeg import START as JPEG
from flowcli.media.jpeg import end_of_jpeg
from flowcli.media.levels import UNIT, Levels, measured, of_bits
from flowcli.media.tiff import Pages
from flowcli.system.opencv import cv2, decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from typing import Any

    from jaxtyping import Shaped, UInt8
    from numpy.typing import NDArray

    from flowcli.media.levels import Mode

    Image = UInt8[NDArray[np.uint8], "height width 3"]

EXTENSIONS = frozenset({
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".avif", ".heic", ".heif",
    ".jp2", ".j2k", ".j2c", ".ppm", ".pgm", ".pnm", ".pbm", ".pam", ".exr", ".dpx", ".tga",
})  # fmt: skip
"""The extensions of images, in lower case."""
LARGEST_BYTES = 2**31
"""The largest image file that is read; OpenCV's limit of 179 megapixels takes less in uncompressed 16-bit colour."""

_FULL = {"uint8": of_bits(8), "uint16": of_bits(16), "int8": of_bits(7), "int16": of_bits(15), "int32": of_bits(31)}


@dataclass(frozen=True, eq=False)
class Stored:
    """An image as it is stored: `samples` are RGB, or grey where they have two axes, and may use the range `full`.

    `plain` converts them to 8 bits where that is more than scaling the full range. `linear` samples are proportional to
    light, as in film, and are encoded as sRGB to be shown.
    """

    samples: Shaped[NDArray[Any], "height width *channels"]
    full: Levels = UNIT
    linear: bool = False
    plain: Callable[[], Image] | None = None

    @property
    def is_deep(self) -> bool:
        """Whether it has more than 8 bits, so that levels can be chosen."""
        return self.samples.dtype != np.uint8

    def image(self, levels: Levels | None) -> Image:
        """The image as 8-bit RGB, by the full range or by other levels."""
        if self.plain is not None and (levels is None or not self.is_deep):
            return self.plain()
        return (levels or self.full).apply(self.samples, linear=self.linear)


def read_image(path: Path, *, levels: Levels | None = None) -> Image:
    """The image at `path` as (height, width, 3) uint8 RGB, upright; alpha is dropped, grey is converted.

    Images of more than 8 bits are shown by `levels`. Raises UsageError where the file does not exist, SourceError where
    it cannot be read or decoded, or holds several images.
    """
    return read_stored(path).image(levels)


def read_stored(path: Path) -> Stored:
    """The image at `path` with all its bits; raises as `read_image` does."""
    data = _bytes_of(path)
    pages = Pages.of(data)
    if len(pages.places) > 1 or is_animated(data):
        raise SourceError(f"{path} holds several images", hint="`flowcli video` reads them as frames")
    if pages.is_raw:
        raise SourceError(f"{path} is a camera's raw image", hint="develop it to TIFF, PNG or JPEG first")
    if data.startswith(JPEG) and end_of_jpeg(data) is None:
        raise SourceError(f"{path} is cut off", hint="copy or download it again")
    return decode_stored(path, data)


def decode_stored(path: Path, data: bytes | NDArray[np.uint8]) -> Stored:
    """The image in a file's bytes, the first page of a TIFF; raises SourceError where it cannot be decoded."""
    if codec := codec_of(path, bytes(data[:HEAD])):
        return _decoded_by_pyav(path, data, codec)
    try:
        samples = _rgb(_decoded(path, data))
    except SourceError:
        if not is_whole_jpeg_2000(bytes(data)):
            raise
        return _decoded_by_pyav(path, data, "jpeg2000")
    if samples.dtype == np.uint8:
        return Stored(samples, plain=lambda: samples.astype(np.uint8, copy=False))
    full = _FULL.get(samples.dtype.name, UNIT)
    linear = bytes(data[:10]) == b"#?RADIANCE"
    return Stored(samples, full, linear, partial(_plain, path, data) if full.span > 1 else None)


def read_images(first: Path, second: Path, *, levels: Levels | Mode = "auto") -> tuple[Image, Image, Levels | None]:
    """Two images as `read_image` reads them, and the levels by which both are shown where that is not the full range.

    Raises UsageError where their sizes differ.
    """
    stored = read_stored(first), read_stored(second)
    shapes = [image.samples.shape[:2] for image in stored]
    if shapes[0] != shapes[1]:
        sizes = " and ".join(f"{width} x {height}" for height, width in shapes)
        raise UsageError(f"the images differ in size: {sizes}", hint="give two images of one size")
    chosen = choose_levels(stored, levels)
    return stored[0].image(chosen), stored[1].image(chosen), chosen


def choose_levels(images: Iterable[Stored], levels: Levels | Mode) -> Levels | None:
    """The levels by which all of the images are shown; None for their full range."""
    deep = (image for image in images if image.is_deep)
    first = next(deep, None)
    if first is None or levels == "full":
        return None
    return measured((image.samples for image in chain([first], deep)), full=first.full) if levels == "auto" else levels


def in_natural_order(paths: Iterable[Path]) -> list[Path]:
    """The paths that are images and not hidden, in natural order: 2 before 10."""
    found = [path for path in paths if path.suffix.lower() in EXTENSIONS and not path.name.startswith(".")]
    # Beside other images, EXR files hold their motion or depth.
    images = [path for path in found if path.suffix.lower() != ".exr"] or found
    return sorted((path for path in images if path.is_file()), key=_natural)


def _natural(path: Path) -> list[tuple[int, int, str]]:
    parts = re.findall(r"\d+|\D+", str(path))
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part.lower()) for part in parts]


def _bytes_of(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if not (path.is_file() or path.is_fifo()) or size > LARGEST_BYTES:
            reason = "is too large an image" if size > LARGEST_BYTES else "is not a file"
            raise SourceError(f"{path} {reason}", hint="give an image file")
        data = path.read_bytes()
    except FileNotFoundError as error:
        refuse_address(path)
        raise UsageError(f"{path} does not exist", hint="check the path") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}", hint="give an image file") from error
    if not data:
        raise SourceError(f"{path} is empty", hint="copy or download it again")
    return data


def _decoded(path: Path, data: bytes | NDArray[np.uint8]) -> NDArray[Any]:
    try:
        return decode(path, data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    except SourceError:
        # OpenCV does not convert grey of 32 bits to colour.
        samples = decode(path, data, cv2.IMREAD_UNCHANGED)
        return samples.astype(np.float32) if samples.dtype == np.float64 else samples


def _decoded_by_pyav(path: Path, data: bytes | NDArray[np.uint8], codec: str) -> Stored:
    from flowcli.media.pyav.stills import decode_still  # noqa: PLC0415 - most images do not need PyAV

    return Stored(*decode_still(path, bytes(data), codec))


def _rgb(samples: NDArray[Any]) -> NDArray[Any]:
    """RGB of OpenCV's BGR or BGRA; grey is unchanged."""
    return samples if samples.ndim == 2 else np.ascontiguousarray(samples[..., 2::-1])


def _plain(path: Path, data: bytes | NDArray[np.uint8]) -> Image:
    # OpenCV rounds some formats to 8 bits, and cuts others off.
    return np.asarray(_rgb(decode(path, data)), np.uint8)
