from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from flowcli.errors import SourceError
from flowcli.media.listing import Listing
from flowcli.media.sources import open_source


def listed(folder: Path, *names: str) -> Listing:
    for name in reversed(names):
        (folder / name).touch()
    return Listing.of(folder.iterdir())


@pytest.mark.parametrize(
    "names",
    [
        ["shot.-0003.png", "shot.-0001.png", "shot.0000.png", "shot.0001.png"],
        ["a_-10.png", "a_-2.png", "a_0.png", "a_3.png"],
        ["-2.png", "-1.png", "0.png", "10.png"],
        ["shot-2.png", "shot-1.png", "shot0.png", "shot1.png"],
        ["x_-1.png", "x_+0.png", "x_+2.png", "x_+10.png"],
        ["c--2.png", "c--1.png", "c-0.png"],
        ["t0.1.png", "t0.15.png", "t0.2.png", "t0.25.png", "t1.0.png"],
        ["t_0.25.png", "t_0.5.png", "t_0.75.png", "t_1.0.png", "t_1.25.png"],
        ["f.1.png", "f.1.25.png", "f.1.5.png", "f.1.75.png", "f.2.png"],
        ["s_-0.5.png", "s_-0.25.png", "s_0.0.png", "s_0.25.png"],
    ],
)
def test_signs_and_decimals_order_images_and_the_order_is_said(tmp_path, names):
    listing = listed(tmp_path, *names)
    assert [path.name for path in listing.images] == names
    assert listing.notes == (
        f"the images are in the order of their numbers, with signs and decimals, from {names[0]} to {names[-1]}",
    )


@pytest.mark.parametrize(
    ("names", "missing", "first"),
    [
        (["s_1.png", "s_2.png", "s_4.png", "s_8.png", "s_9.png", "s_10.png"], "4 numbers are", "s_3.png"),
        (["s_007.v2.png", "s_008.v2.png", "s_009.v2.png", "s_011.v2.png"], "1 number is", "s_010.v2.png"),
        (["0.png", "5.png", "10.png", "20.png"], "1 number is", "15.png"),
    ],
)
def test_missing_numbers_are_counted_and_the_first_is_named(tmp_path, names, missing, first):
    note = f"{missing} missing among the images, first {first}: images beside a gap count as consecutive"
    assert listed(tmp_path, *names).notes == (note,)


@pytest.mark.parametrize(
    "names",
    [
        ["1.png", "2.png", "3.png"],
        ["10.png", "20.png", "30.png"],
        ["1000.png", "1033.png", "1067.png", "1100.png"],
        ["a1.png", "a2.png", "b3.png", "b9.png"],
        ["1.jpg", "1.png", "2.jpg", "2.png", "9.jpg", "9.png"],
    ],
)
def test_other_names_have_no_gaps(tmp_path, names):
    assert not any("missing" in note for note in listed(tmp_path, *names).notes)


@pytest.mark.parametrize(
    "names",
    [
        ["take-1.png", "take-2.png", "take-10.png"],
        ["2024-01-05.png", "2024-01-06.png", "2024-02-01.png"],
        ["img_1-1.png", "img_1-2.png", "img_2-1.png"],
        ["v1.8.png", "v1.9.png", "v1.10.png", "v1.11.png"],
        ["a_v2.9998.png", "a_v2.9999.png", "a_v2.10000.png"],
        ["p.3.png", "p.6.png", "p.9.png", "p.12.png"],
        ["0.00.png", "0.04.png", "1.00.png", "10.00.png"],
        ["1.2.3.png", "1.2.10.png", "1.10.1.png"],
        ["img-1-a.png", "img-1.png", "img-2.png"],
    ],
)
def test_other_dashes_and_points_keep_the_natural_order(tmp_path, names):
    listing = listed(tmp_path, *names)
    assert [path.name for path in listing.images] == names
    assert listing.notes == ()


def test_files_of_other_kinds_are_named_once_with_a_count(tmp_path):
    listing = listed(tmp_path, "1.png", "2.png", "3.CR2", "4.cr2", "x.mp4", "notes.txt", ".hidden.cr2")
    assert listing.notes == ("3 files are passed over: 2 .cr2, 1 .mp4",)


def test_frames_of_two_kinds_of_images_are_noted(tmp_path):
    listing = listed(tmp_path, "1.jpg", "1.png", "2.jpg", "2.png", "3.png")
    assert [path.name for path in listing.images] == ["1.jpg", "1.png", "2.jpg", "2.png", "3.png"]
    assert listing.notes == (
        f"2 of 3 names occur as .jpg and .png, each image a frame of its own; for one kind: '{tmp_path / '*.png'}'",
    )


def images(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True)
    for number, name in enumerate(names):
        assert cv2.imwrite(str(folder / name), np.full((8, 8, 3), 10 * number, np.uint8))


@pytest.mark.parametrize(
    ("folder", "pattern"),
    [
        ("take [1]", "take [1]/*.png"),
        ("take [1]", "take [1]/%d.png"),
        ("a*b", "a*b/?.png"),
        ("day/[x] [y]", "*/[x] [y]/*.png"),
        ("take_%d", "take_%d/*.png"),
        ("take [1]", "take [[]1]/*.png"),
        ("take 1", "take [1]/*.png"),
    ],
)
def test_a_folder_that_exists_is_literal_in_a_pattern(tmp_path, folder, pattern):
    images(tmp_path / folder, "0.png", "1.png", "2.png")
    frames = list(open_source(tmp_path / pattern).frames())
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [0, 10, 20]


def test_brackets_in_a_name_are_literal_where_they_match_nothing_else(tmp_path):
    images(tmp_path / "s", "a[v2]_1.png", "a[v2]_2.png")
    assert len(list(open_source(tmp_path / "s" / "a[v2]_*.png").frames())) == 2


def test_a_numbered_pattern_takes_numbers_below_zero(tmp_path):
    images(tmp_path / "s", "f.-0002.png", "f.-001.png", "f.0000.png", "f.0001.png")
    source = open_source(tmp_path / "s" / "f.%04d.png")
    assert [int(frame.image[0, 0, 0]) for frame in source.frames()] == [0, 10, 20, 30]
    assert "with signs and decimals" in source.notes[0]


def test_a_folder_of_videos_names_batch(tmp_path):
    (tmp_path / "a.mp4").touch()
    with pytest.raises(SourceError) as failure:
        open_source(tmp_path)
    assert failure.value.hint == f"for its videos: `flowcli batch {tmp_path}`"
