"""Images and video of more than 8 bits that use a part of their range."""

from __future__ import annotations

import io
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from flowcli.errors import UsageError
from flowcli.flow.formats import flo
from flowcli.media.decoding import Decoding
from flowcli.media.images import read_images
from flowcli.media.levels import Levels, measured, of_bits, parse_levels
from flowcli.media.pyav.colours import Colours
from flowcli.media.selection import parse_selection
from flowcli.media.sources import open_source

WAVES = np.add.outer(np.sin(np.arange(48) / 5), np.cos(np.arange(64) / 7)) / 4 + 0.5
LOW, HIGH = 3210, 3270


def thermal(number: int = 0) -> np.ndarray:
    """Grey of 16 bits, which moves by 3 px from each number to the next, and uses 60 steps."""
    return np.rint(LOW + (HIGH - LOW) * np.roll(WAVES, 3 * number, axis=1)).astype(np.uint16)


def write_video(path: Path, images: list[np.ndarray], pix_fmt: str = "gray16le") -> Path:
    """A lossless video."""
    import av

    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=Fraction(25))
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pix_fmt
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format=pix_fmt)))
        container.mux(stream.encode(None))
    return path


def write_folder(path: Path, images: list[np.ndarray], ending: str) -> Path:
    path.mkdir()
    for number, image in enumerate(images):
        assert cv2.imwrite(str(path / f"{number:03d}{ending}"), image)
    return path


@pytest.fixture(params=["ffv1", "png", "tif", "float tif", "stack", "pgm"])
def source_of_thermal(request, tmp_path):
    images = [thermal(number) for number in range(6)]
    if request.param == "ffv1":
        return write_video(tmp_path / "clip.mkv", images)
    if request.param == "stack":
        assert cv2.imwritemulti(str(tmp_path / "clip.tif"), images)
        return tmp_path / "clip.tif"
    if request.param == "float tif":
        return write_folder(tmp_path / "clip", [image.astype(np.float32) for image in images], ".tif")
    return write_folder(tmp_path / "clip", images, f".{request.param}")


def test_a_narrow_range_is_stretched_the_same_way_in_all_frames(source_of_thermal):
    with open_source(source_of_thermal) as source:
        images = [frame.image for frame in source.frames()]
    assert len(images) == 6
    levels = source.meta.levels
    assert levels is not None
    assert levels.low == pytest.approx(LOW, abs=3)
    assert levels.high == pytest.approx(HIGH, abs=3)
    for number, image in enumerate(images):
        wanted = np.clip((thermal(number) - levels.low) / (levels.high - levels.low), 0, 1) * 255
        assert np.abs(image[..., 1] - wanted).max() <= 1
        assert (image[..., 0] == image[..., 2]).all()
    assert source.notes == [f"values from {levels} are shown as black to white, in all frames (--levels)"]


def test_every_part_has_the_levels_of_the_whole(source_of_thermal):
    whole = list(open_source(source_of_thermal).frames())
    for start in (1, 4):
        source = open_source(source_of_thermal, selection=parse_selection(f"#{start}", f"#{start + 2}", None))
        part = list(source.frames())
        assert [(frame.image == whole[start + frame.index].image).all() for frame in part] == [True, True]


def test_levels_can_be_forbidden_and_set(source_of_thermal):
    plain = open_source(source_of_thermal, decoding=Decoding(levels="full"))
    image = next(iter(plain.frames())).image
    assert plain.meta.levels is None
    assert not plain.notes
    assert len(np.unique(image)) <= 2
    given = open_source(source_of_thermal, decoding=Decoding(levels=Levels(3000, 3510)))
    image = next(iter(given.frames())).image[..., 0]
    assert np.abs(image - (thermal() - 3000) / 2).max() <= 1


def test_levels_are_those_of_the_whole_range_not_of_the_first_frames(tmp_path):
    images = [np.rint(1000 + 20 * number + 60 * WAVES).astype(np.uint16) for number in range(40)]
    for path in (write_video(tmp_path / "clip.mkv", images), write_folder(tmp_path / "clip", images, ".png")):
        levels = open_source(path).meta.levels
        assert levels is not None
        assert levels.high > 1000 + 20 * 36


@pytest.mark.parametrize("bits", [9, 10, 12, 14, 16])
def test_grey_and_rgb_of_any_depth_are_stretched_by_their_own_range(tmp_path, bits):
    top = 2**bits - 1
    grey = np.rint(top * (0.05 + 0.1 * WAVES)).astype(np.uint16)
    rgb = np.rint(np.stack([grey, grey * 0.9, grey * 0.8], axis=-1)).astype(np.uint16)
    suffix = str(bits) + "le"
    for image, pix_fmt in ((grey, f"gray{suffix}"), (rgb, f"gbrp{suffix}")):
        with open_source(write_video(tmp_path / "clip.mkv", [image] * 2, pix_fmt)) as source:
            shown = next(iter(source.frames())).image
        levels = source.meta.levels
        assert levels is not None
        wanted = np.rint(np.clip((image - levels.low) / (levels.high - levels.low), 0, 1) * 255)
        assert np.abs(shown - (wanted if image.ndim == 3 else wanted[..., None])).max() <= 1
        assert shown.min() < 3
        assert shown.max() > 252


def test_a_range_that_is_used_well_is_not_stretched(tmp_path):
    image = np.rint(65535 * (0.1 + 0.5 * WAVES)).astype(np.uint16)
    for path in (write_video(tmp_path / "clip.mkv", [image] * 2), write_folder(tmp_path / "clip", [image] * 2, ".png")):
        source = open_source(path)
        shown = next(iter(source.frames())).image[..., 0]
        assert source.meta.levels is None
        assert np.abs(shown - image / 257).max() <= 1.1


def test_dead_pixels_and_frames_without_contrast_do_not_widen_the_range():
    image = np.tile(thermal(), (3, 3))
    image[7, 9], image[20, 30] = 0, 65535
    levels = measured([np.zeros_like(image), image], full=of_bits(16))
    assert levels is not None
    assert levels.low > 3200
    assert levels.high < 3300


def test_samples_of_few_values_use_all_of_them():
    image = np.zeros((100, 100), np.uint16)
    image[50, 50:53] = 700
    assert measured([image], full=of_bits(16)) == Levels(0, 700)


def test_numbers_that_are_none_are_black():
    samples = np.array([[np.nan, np.inf, -np.inf, 0.5]], np.float32)
    assert Levels(0, 1).apply(samples)[0, :, 0].tolist() == [0, 255, 0, 128]


def test_a_pair_is_stretched_by_the_range_of_both_images(tmp_path):
    for name, image in (("a", thermal()), ("b", thermal() + 100)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), image)
    first, second, levels = read_images(tmp_path / "a.png", tmp_path / "b.png")
    assert levels is not None
    assert (levels.low, levels.high) == (pytest.approx(LOW, abs=3), pytest.approx(HIGH + 100, abs=3))
    assert first.max() < second.max()
    assert read_images(tmp_path / "a.png", tmp_path / "b.png", levels="full")[2] is None


def test_a_pipe_is_stretched_by_its_first_frames(tmp_path, monkeypatch):
    path = write_video(tmp_path / "clip.mkv", [thermal(number) for number in range(20)])
    with path.open("rb") as file:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(file.raw)))
        with open_source(Path("-")) as source:
            images = [frame.image for frame in source.frames()]
    assert len(images) == 20
    assert source.meta.levels is not None
    assert images[19].min() < 5
    assert images[19].max() > 250
    assert len(source.notes) == 1


@pytest.mark.parametrize(
    ("pix_fmt", "bits"), [("gray32le", 32), ("gbrap32le", 32), ("rgb96le", 32), ("yaf32le", 0), ("rgbaf32le", 0)]
)
def test_samples_that_ffmpeg_cannot_convert_are_shown(pix_fmt, bits):
    import av

    frame = av.VideoFrame(64, 48, pix_fmt)
    for plane in frame.planes:
        values = np.full(plane.buffer_size // 4, 2 ** (bits - 1) if bits else 0.5, np.uint32 if bits else np.float32)
        plane.update(values.tobytes())
    image = Colours(Path("clip.mkv")).rgb(frame, 64, 48)
    assert image.shape == (48, 64, 3)
    assert (image == 128).all()


@pytest.mark.parametrize("text", ["", "5", "9,3", "3,3", "a,b", "1,2,3", "nan,4", "0,inf", "FULL"])
def test_levels_that_are_no_range_are_refused(text):
    with pytest.raises(UsageError, match=r"--levels .*is not a range"):
        parse_levels(text)


@pytest.mark.parametrize("kind", ["video", "images"])
def test_levels_of_8_bits_change_nothing_and_say_so(make_video, make_images, kind):
    path = make_video(frames=2) if kind == "video" else make_images()
    source = open_source(path, decoding=Decoding(levels=Levels(10, 20)))
    list(source.frames())
    assert source.notes == ["frames of 8 bits, YUV and HDR are not changed by --levels"]
    assert source.meta.levels is None


def test_the_report_and_a_note_state_the_levels(compute, place):
    write_video(place / "clip.mkv", [thermal(number) for number in range(3)])
    ended = compute("video", "clip.mkv", "--save", "flo")
    report = json.loads(Path("clip_flow.json").read_text())
    low, high = report["levels"]
    note = f"values from {low:g} to {high:g} are shown as black to white, in all frames (--levels)"
    assert report["notes"] == [note]
    assert f"note: {note}" in ended.err


def test_chunks_and_resumed_runs_have_the_same_levels(compute, place):
    Path("clips").mkdir()
    images = [np.rint(1000 + 20 * number + 60 * WAVES).astype(np.uint16) for number in range(7)]
    write_video(place / "clips" / "clip.mkv", images)
    for name, options in (("whole", ()), ("chunks", ("--split", "3"))):
        assert compute("batch", "clips", "--save", "flo", *options, "-o", name).code == 0
    reports = [json.loads((place / name / "clip_flow.json").read_text()) for name in ("whole", "chunks")]
    assert reports[0]["levels"] == reports[1]["levels"] is not None
    assert reports[0]["notes"] == reports[1]["notes"]
    flows = [[flo.read(file) for file in sorted((place / name).rglob("*.flo"))] for name in ("whole", "chunks")]
    assert len(flows[0]) == 6
    for whole, part in zip(*flows, strict=True):
        assert np.abs(whole - part).max() < 1e-3
