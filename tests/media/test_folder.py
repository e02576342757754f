from __future__ import annotations

import os
import subprocess
import sys
import zlib
from fractions import Fraction

import cv2
import numpy as np
import pytest

from flowcli.errors import SourceError, UsageError
from flowcli.media.images import read_image
from flowcli.media.sources import open_source

IMAGE = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)


def _fill(folder, names, image=IMAGE):
    folder.mkdir(exist_ok=True)
    for name in names:
        assert cv2.imwrite(str(folder / name), image)
    return folder


def _encoded(extension, image):
    return cv2.imencode(extension, image)[1].tobytes()


def test_images_are_read_in_natural_order(tmp_path):
    folder = tmp_path / "shot"
    for number in (10, 2, 1):
        _fill(folder, [f"f{number}.png"], np.full((8, 8, 3), number, np.uint8))
    (folder / "notes.txt").write_text("no image")
    frames = list(open_source(folder).frames())
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [1, 2, 10]
    assert [frame.index for frame in frames] == [0, 1, 2]


def test_images_have_25_frames_per_second_by_default(tmp_path):
    folder = _fill(tmp_path / "shot", ["1.png", "2.png"])
    assert [frame.time for frame in open_source(folder).frames()] == [0, Fraction(1, 25)]
    source = open_source(folder, rate=Fraction(24000, 1001))
    assert [frame.time for frame in source.frames()] == [0, Fraction(1001, 24000)]
    assert (source.meta.name, source.meta.width, source.meta.height, source.meta.frame_count) == ("shot", 32, 24, 2)


def test_an_image_of_another_size_is_an_error(tmp_path):
    folder = _fill(tmp_path / "shot", ["1.png"])
    _fill(folder, ["2.png"], IMAGE[:20])
    with pytest.raises(SourceError) as failure:
        list(open_source(folder).frames())
    assert str(failure.value) == f"{folder / '2.png'} is 32 x 20, but 1.png is 32 x 24"


def test_an_unreadable_image_is_a_lost_frame(tmp_path):
    folder = _fill(tmp_path / "shot", ["1.png", "2.png", "3.png"])
    (folder / "2.png").write_bytes(b"broken")
    source = open_source(folder)
    assert [frame.index for frame in source.frames()] == [0, 2]
    assert source.lost == 1


@pytest.mark.parametrize(("names", "message"), [([], "has no images"), (["1.png"], "has only one image")])
def test_a_folder_needs_two_images(tmp_path, names, message):
    folder = _fill(tmp_path / "shot", names)
    with pytest.raises(SourceError) as failure:
        open_source(folder)
    assert str(failure.value) == f"{folder} {message}"


def test_sampled_pairs_are_spread_over_a_folder(tmp_path):
    folder = _fill(tmp_path / "shot", [f"{number}.png" for number in range(9)])
    pairs = open_source(folder).sample_pairs(count=2, skip=1)
    assert [(pair.first.index, pair.second.index) for pair in pairs] == [(2, 3), (6, 7)]


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (IMAGE, IMAGE[..., ::-1]),
        (IMAGE[..., 0], np.repeat(IMAGE[..., :1], 3, axis=2)),
        (np.dstack([IMAGE, IMAGE[..., 0]]), IMAGE[..., ::-1]),
        (IMAGE.astype(np.uint16) * 257, IMAGE[..., ::-1]),
    ],
    ids=["colour", "grey", "alpha", "16-bit"],
)
def test_any_png_becomes_rgb(tmp_path, stored, shown):
    path = tmp_path / "ba\udcffd.png"
    path.write_bytes(_encoded(".png", stored))
    image = read_image(path)
    assert image.dtype == np.uint8
    assert np.array_equal(image, shown)


def test_exif_orientation_is_applied_once(tmp_path):
    jpeg = _encoded(".jpg", IMAGE)
    tag = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    (tmp_path / "turned.jpg").write_bytes(jpeg[:2] + b"\xff\xe1" + (len(tag) + 2).to_bytes(2, "big") + tag + jpeg[2:])
    (tmp_path / "plain.jpg").write_bytes(jpeg)
    turned, plain = read_image(tmp_path / "turned.jpg"), read_image(tmp_path / "plain.jpg")
    assert np.array_equal(turned, np.rot90(plain, -1))


@pytest.mark.parametrize("extension", [".jpg", ".png", ".bmp", ".webp", ".tif"])
def test_a_cut_image_is_refused(tmp_path, extension):
    path = tmp_path / f"cut{extension}"
    data = _encoded(extension, IMAGE)
    path.write_bytes(data[: len(data) * 3 // 4])
    with pytest.raises(SourceError):
        read_image(path)


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "is empty"), (b"some text", "is not an image that can be read")]
)
def test_the_error_states_why_a_file_is_not_an_image(tmp_path, content, message):
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(SourceError) as failure:
        read_image(path)
    assert str(failure.value) == f"{path} {message}"


def test_a_missing_image_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError) as failure:
        read_image(tmp_path / "none.png")
    assert str(failure.value) == f"{tmp_path / 'none.png'} does not exist"


def test_an_image_that_decodes_to_gigabytes_is_refused(tmp_path):
    def chunk(kind, data):
        body = kind + data
        return len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

    size = (30_000).to_bytes(4, "big") * 2
    path = tmp_path / "bomb.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", size + b"\x08\x02\0\0\0")
        + chunk(b"IDAT", zlib.compress(bytes(90_001) * 100))
        + chunk(b"IEND", b"")
    )
    script = f"""
from pathlib import Path
from flowcli.errors import SourceError
from flowcli.media.images import read_image
try:
    read_image(Path({str(path)!r}))
except SourceError as error:
    print(error)
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENCV")}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == f"{path} is too large an image\n"
