"""Colour matrices, HDR and packed pixels, compared with their definitions in ITU-T H.273 and ITU-R BT.2100."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowcli.errors import SourceError
from flowcli.media.decoding import Decoding
from flowcli.media.pyav.colours import Colours
from flowcli.media.sources import open_source

COLOUR = (200, 30, 60)
UNSPECIFIED, BT2020 = 2, 9
PQ, HLG = 16, 18


def write(
    path: Path,
    pix_fmt: str,
    samples: tuple[int, ...],
    *,
    matrix: int,
    full: bool,
    transfer: int = 2,
    primaries: int = 2,
) -> Path:
    """A lossless video of two frames whose planes hold one sample value each."""
    import av

    bits = av.VideoFormat(pix_fmt, 32, 24).components[0].bits
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 32, 24, pix_fmt
        context = stream.codec_context
        context.colorspace, context.color_range = matrix, 2 if full else 1
        context.color_trc, context.color_primaries = transfer, primaries
        for _ in range(2):
            frame = av.VideoFrame(32, 24, pix_fmt)
            for plane, sample in zip(frame.planes, samples, strict=True):
                kind = np.uint16 if bits > 8 else np.uint8
                plane.update(np.full(plane.buffer_size // np.dtype(kind).itemsize, sample, kind).tobytes())
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def read(path: Path, **choices: Any) -> tuple[list[int], list[str]]:
    """The colour of the first pixel, and the notes."""
    with open_source(path, decoding=Decoding(**choices)) as source:
        frames = list(source.frames())
    image = frames[0].image
    assert image.shape == (24, 32, 3)
    assert (image == image[0, 0]).all()
    return [int(value) for value in image[0, 0]], source.notes


def coded(luma: float, first: float, second: float, *, full: bool, bits: int) -> tuple[int, int, int]:
    """Luma from 0 to 1 and chroma from -0.5 to 0.5 as samples."""
    if full:
        top, middle = 2**bits - 1, 2 ** (bits - 1)
        return round(top * luma), round(top * first) + middle, round(top * second) + middle
    unit = 2 ** (bits - 8)
    return round(unit * (16 + 219 * luma)), round(unit * (128 + 224 * first)), round(unit * (128 + 224 * second))


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p", "yuv444p10le"])
def test_ycgco_follows_its_definition(tmp_path, pix_fmt, full):
    red, green, blue = (value / 255 for value in COLOUR)
    planes = ((red + 2 * green + blue) / 4, (2 * green - red - blue) / 4, (red - blue) / 2)
    samples = coded(*planes, full=full, bits=10 if "10" in pix_fmt else 8)
    colour, notes = read(write(tmp_path / "clip.mkv", pix_fmt, samples, matrix=8, full=full))
    assert np.abs(np.subtract(colour, COLOUR)).max() <= 3
    assert not notes


def test_reversible_ycgco_follows_its_definition(tmp_path):
    red, green, blue = COLOUR
    co = red - blue
    middle = blue + (co >> 1)
    cg = green - middle
    samples = (middle + (cg >> 1), cg + 512, co + 512)
    colour, _ = read(write(tmp_path / "clip.mkv", "yuv444p10le", samples, matrix=16, full=True))
    assert np.abs(np.subtract(colour, COLOUR)).max() <= 1


def frame_of(pix_fmt: str, matrix: int, *, primaries: int = 2) -> Any:
    """A frame of YUV red, or of something else in another format; encoders refuse some matrices."""
    import av

    frame = av.VideoFrame(32, 24, pix_fmt)
    for plane, sample in zip(frame.planes, (81, 90, 240), strict=False):
        plane.update(bytes([sample]) * plane.buffer_size)
    frame.colorspace, frame.color_range, frame.color_primaries = matrix, 1, primaries
    return frame


@pytest.mark.parametrize(
    ("matrix", "primaries", "note"),
    [
        (3, 2, "the colours have the reserved number 3: they are shown as BT.601, which is not exact"),
        (200, 2, "the colours have the reserved number 200: they are shown as BT.601, which is not exact"),
        (10, 2, "the colours are BT.2020 with constant luminance: they are shown as BT.2020, which is not exact"),
        (12, 1, "the colours are derived from their primaries: they are shown as BT.709, which is not exact"),
        (12, 9, "the colours are derived from their primaries: they are shown as BT.2020, which is not exact"),
    ],
)
def test_a_matrix_that_is_not_converted_is_replaced_by_the_nearest_and_noted(matrix, primaries, note):
    colours = Colours(Path("clip.mkv"))
    colour = colours.rgb(frame_of("yuv444p", matrix, primaries=primaries), 32, 24)[0, 0]
    assert colour[0] > 200
    assert max(colour[1:]) < 60
    assert list(colours.notes.values()) == [note]


@pytest.mark.parametrize("matrix", [11, 15])
def test_a_matrix_without_a_near_one_is_refused(matrix):
    with pytest.raises(SourceError, match=r"clip\.mkv has colours of .+, which cannot be converted"):
        Colours(Path("clip.mkv")).rgb(frame_of("yuv444p", matrix), 32, 24)


def test_a_frame_that_is_shown_again_has_the_same_colours():
    for matrix in (8, 10, 12, 14, 16):
        colours, frame = Colours(Path("clip.mkv")), frame_of("yuv444p", matrix)
        assert (colours.rgb(frame, 32, 24) == colours.rgb(frame, 32, 24)).all()


def test_no_matrix_ends_in_a_traceback():
    for pix_fmt in ("yuv420p", "yuv420p10le", "gray", "gray10le", "gbrp", "pal8", "nv12"):
        for matrix in range(256):
            with suppress(SourceError):
                Colours(Path("clip.mkv")).rgb(frame_of(pix_fmt, matrix), 32, 24)


def test_pixels_that_cannot_be_converted_are_refused():
    with pytest.raises(SourceError, match="has pixels of format x2rgb10be, which cannot be converted"):
        Colours(Path("clip.mkv")).rgb(frame_of("x2rgb10be", 0), 32, 24)


def code_of_pq(nits: float) -> float:
    """The PQ code of light, SMPTE ST 2084."""
    root = (nits / 10000) ** (2610 / 16384)
    return float(((3424 / 4096 + 2413 / 128 * root) / (1 + 2392 / 128 * root)) ** (2523 / 32))


def grey_of(code: float, transfer: int, folder: Path, **choices: Any) -> tuple[int, list[str]]:
    samples = coded(code, 0, 0, full=False, bits=10)
    path = write(
        folder / "clip.mkv", "yuv420p10le", samples, matrix=BT2020, full=False, transfer=transfer, primaries=BT2020
    )
    colour, notes = read(path, **choices)
    assert max(colour) - min(colour) <= 3
    return colour[1], notes


def test_pq_is_shown_as_the_eye_sees_it(tmp_path):
    shown = [grey_of(code_of_pq(nits), PQ, tmp_path)[0] for nits in (0.01, 20, 100, 203, 600, 1000, 4000)]
    assert shown[0] <= 3
    # Below the knee, sRGB of light relative to 203 cd/m²: 20 is 35 %, 100 is 73 %.
    assert abs(shown[1] - 255 * (1.055 * (20 / 203) ** (1 / 2.4) - 0.055)) <= 3
    assert abs(shown[2] - 255 * (1.055 * (100 / 203) ** (1 / 2.4) - 0.055)) <= 3
    assert 225 <= shown[3] <= 240
    assert shown == sorted(set(shown))  # highlights stay apart


def test_hlg_is_shown_as_the_eye_sees_it(tmp_path):
    # 75 % is white of 203 cd/m² on a screen of 1000.
    shown, notes = grey_of(0.75, HLG, tmp_path)
    assert 225 <= shown <= 240
    assert notes == ["frames are HDR (HLG): they are tone-mapped for a common screen (--levels full does not)"]


def test_levels_full_leaves_hdr_as_stored(tmp_path):
    shown, notes = grey_of(0.58, PQ, tmp_path, levels="full")
    assert abs(shown - 0.58 * 255) <= 3
    assert not notes


def test_saturated_hdr_colours_keep_their_hue(tmp_path):
    # Red of BT.709 at 100 cd/m², in BT.2020: 62.7 %, 6.9 %, 1.6 %.
    red, green, blue = (code_of_pq(100 * part) for part in (0.6274, 0.0691, 0.0164))
    path = write(
        tmp_path / "clip.mkv",
        "gbrp16le",
        tuple(round(65535 * code) for code in (green, blue, red)),
        matrix=0,
        full=True,
        transfer=PQ,
        primaries=BT2020,
    )
    colour, _ = read(path)
    assert abs(colour[0] - 255 * (1.055 * (100 / 203) ** (1 / 2.4) - 0.055)) <= 3
    assert max(colour[1:]) <= 12


@pytest.mark.parametrize("transfer", [PQ, UNSPECIFIED])
def test_ictcp_follows_its_definition(tmp_path, transfer):
    light = np.array([[1688, 2146, 262], [683, 2951, 462], [99, 309, 3688]]) / 4096 @ (100, 40, 20)
    codes = np.array([code_of_pq(value) for value in light])
    planes = np.array([[2048, 2048, 0], [6610, -13613, 7003], [17933, -17390, -543]]) / 4096 @ codes
    path = write(
        tmp_path / "clip.mkv",
        "yuv444p12le",
        coded(*planes, full=False, bits=12),
        matrix=14,
        full=False,
        transfer=transfer,
        primaries=BT2020,
    )
    ictcp, _ = read(path)
    same = write(
        tmp_path / "same.mkv",
        "gbrp16le",
        tuple(round(65535 * code_of_pq(nits)) for nits in (40, 20, 100)),
        matrix=0,
        full=True,
        transfer=PQ,
        primaries=BT2020,
    )
    assert np.abs(np.subtract(ictcp, read(same)[0])).max() <= 2


@pytest.mark.parametrize("pix_fmt", ["bgr4", "rgb4"])
def test_pixels_of_four_bits_are_unpacked(tmp_path, pix_fmt):
    import av

    path = tmp_path / "clip.nut"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("rawvideo", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 32, 24, pix_fmt
        for _ in range(2):
            frame = av.VideoFrame(32, 24, pix_fmt)
            # The highest bit is the first channel, the lowest the last; pixels are red and white in turn.
            byte = 0x8F if pix_fmt == "rgb4" else 0x1F
            frame.planes[0].update(bytes([byte]) * frame.planes[0].buffer_size)
            container.mux(stream.encode(frame))
    with open_source(path) as source:
        image = next(iter(source.frames())).image
    assert image[5, :4].tolist() == [[255, 0, 0], [255, 255, 255], [255, 0, 0], [255, 255, 255]]
