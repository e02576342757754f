"""Colours and orientations of decoded frames, compared with independent arithmetic."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowcli.media.pyav.orientation import Orientation
from flowcli.media.sources import open_source

COLOUR = (200, 30, 60)
# Weights of red and blue in luma, and FFmpeg's number for each matrix.
MATRICES = {"bt601": (0.299, 0.114, 5), "bt709": (0.2126, 0.0722, 1), "bt2020": (0.2627, 0.0593, 9)}
ONE = 1 << 16


def luma_and_chroma(matrix: str, *, full: bool, bits: int) -> tuple[int, int, int]:
    """The Y, U and V samples of COLOUR, by the definitions of ITU-R BT.601, 709 and 2020."""
    red, green, blue = (value / 255 for value in COLOUR)
    of_red, of_blue, _ = MATRICES[matrix]
    y = of_red * red + (1 - of_red - of_blue) * green + of_blue * blue
    u, v = (blue - y) / (2 - 2 * of_blue), (red - y) / (2 - 2 * of_red)
    if full:
        top = 2**bits - 1
        return round(top * y), round(top * u + 2 ** (bits - 1)), round(top * v + 2 ** (bits - 1))
    unit = 2 ** (bits - 8)
    return round(unit * (16 + 219 * y)), round(unit * (128 + 224 * u)), round(unit * (128 + 224 * v))


def write(path: Path, pix_fmt: str, samples: tuple[int, ...], *, matrix: int | None = None, full: bool = False) -> None:
    """A lossless video of two frames whose planes hold one sample value each."""
    import av

    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 32, 24, pix_fmt
        if matrix is not None:
            stream.codec_context.colorspace, stream.codec_context.color_range = matrix, 2 if full else 1
        for _ in range(2):
            frame = av.VideoFrame(32, 24, pix_fmt)
            for plane, sample in zip(frame.planes, samples, strict=True):
                kind = np.uint16 if "10" in pix_fmt or "16" in pix_fmt else np.uint8
                plane.update(np.full(plane.buffer_size // np.dtype(kind).itemsize, sample, kind).tobytes())
            if matrix is not None:
                frame.colorspace, frame.color_range = matrix, 2 if full else 1
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def first_pixel(path: Path) -> list[int]:
    with open_source(path) as source:
        image = next(iter(source.frames())).image
    assert image.shape == (24, 32, 3)
    assert (image == image[0, 0]).all()
    return [int(value) for value in image[0, 0]]


@pytest.mark.parametrize("matrix", MATRICES)
def test_tagged_colours_follow_their_definition(tmp_path, matrix):
    for full, pix_fmt in product((False, True), ("yuv444p", "yuv420p", "yuv444p10le", "yuv420p10le")):
        samples = luma_and_chroma(matrix, full=full, bits=10 if "10" in pix_fmt else 8)
        write(tmp_path / "clip.mkv", pix_fmt, samples, matrix=MATRICES[matrix][2], full=full)
        assert np.abs(np.array(first_pixel(tmp_path / "clip.mkv")) - COLOUR).max() <= 3, (full, pix_fmt)


@pytest.mark.parametrize(
    ("pix_fmt", "samples", "shown"),
    [
        ("gray", (120,), (120, 120, 120)),
        ("gray16le", (120 * 257,), (120, 120, 120)),
        ("gray10le", (round(120 * 1023 / 255),), (120, 120, 120)),
        ("gbrp10le", tuple(round(value * 1023 / 255) for value in (30, 60, 200)), COLOUR),
        ("gbrp16le", (30 * 257, 60 * 257, 200 * 257), COLOUR),
        ("yuva444p", (*luma_and_chroma("bt601", full=False, bits=8), 99), COLOUR),
    ],
)
def test_grey_16_bit_and_transparent_frames_are_converted_to_rgb(tmp_path, pix_fmt, samples, shown):
    write(tmp_path / "clip.mkv", pix_fmt, samples)
    assert np.abs(np.array(first_pixel(tmp_path / "clip.mkv")) - shown).max() <= 3


QUARTER_TURNS = [(ONE, 0, 0, ONE), (0, ONE, -ONE, 0), (-ONE, 0, 0, -ONE), (0, -ONE, ONE, 0)]
MIRRORED = [(-ONE, 0, 0, ONE), (ONE, 0, 0, -ONE), (0, ONE, ONE, 0), (0, -ONE, -ONE, 0)]


@pytest.mark.parametrize("matrix", QUARTER_TURNS + MIRRORED, ids=str)
def test_every_orientation_follows_its_display_matrix(matrix):
    a, b, c, d = (entry // ONE for entry in matrix)
    image = np.random.default_rng(0).integers(0, 256, (3, 5, 3), np.uint8)
    # FFmpeg: x' = a x + c y + tx, y' = b x + d y + ty, from the stored frame to the displayed one.
    places = {(a * x + c * y, b * x + d * y): image[y, x] for y in range(3) for x in range(5)}
    left, top = (min(place[axis] for place in places) for axis in (0, 1))
    shown = Orientation.from_display_matrix((matrix[0], matrix[1], 0, matrix[2], matrix[3], 0, 0, 0, ONE << 14)).apply(
        image
    )
    assert shown.shape[:2] == ((5, 3) if a == 0 else (3, 5))
    for (x, y), pixel in places.items():
        assert (shown[y - top, x - left] == pixel).all()
