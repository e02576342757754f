"""Animated GIF, PNG and WebP as videos."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import cv2
import numpy as np
import pytest

from flowcli.errors import SourceError, UsageError
from flowcli.media.selection import parse_selection
from flowcli.media.sources import open_source

DURATIONS = [100, 30, 200, 70, 500]
COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255)]


@pytest.fixture
def make_animation(tmp_path: Path):
    """Writes an animation by OpenCV: frames of one colour each, shown for `durations` milliseconds."""

    def make(name: str, *, durations: list[int] = DURATIONS) -> Path:
        animation = cv2.Animation()
        animation.frames = [
            np.full((24, 32, 4), (*COLOURS[number % 5][::-1], 255), np.uint8) for number in range(len(durations))
        ]
        animation.durations = np.array(durations)
        path = tmp_path / name
        assert cv2.imwriteanimation(str(path), animation, [cv2.IMWRITE_WEBP_QUALITY, 101])
        return path

    return make


@pytest.mark.parametrize("name", ["moving.gif", "moving.webp", "moving.png"])
def test_frames_of_an_animation_have_their_own_times(make_animation, name):
    path = make_animation(name)
    with open_source(path) as source:
        frames = list(source.frames())
    assert [frame.time for frame in frames] == [Fraction(t, 1000) for t in accumulate(DURATIONS[:-1], initial=0)]
    for frame, colour in zip(frames, COLOURS, strict=True):
        assert np.abs(frame.image.astype(int) - colour).max() < 12
    assert (source.meta.frame_count or 5, source.lost) == (5, 0)


@pytest.mark.parametrize("name", ["moving.gif", "moving.webp", "moving.png"])
def test_a_part_of_an_animation_is_selected_by_its_times(make_animation, name):
    with open_source(make_animation(name), selection=parse_selection("0.13", "#4", None)) as source:
        frames = list(source.frames())
        assert source.sample_pairs(count=2, skip=1)
    assert [(frame.index, frame.time) for frame in frames] == [(0, 0), (1, Fraction(1, 5))]
    assert np.abs(frames[0].image.astype(int) - COLOURS[2]).max() < 12
    assert source.meta.start == Fraction(13, 100)


def test_a_long_webp_is_decoded_a_few_frames_at_a_time(make_animation):
    path = make_animation("long.webp", durations=[40] * 70)
    with open_source(path) as source:
        frames = list(source.frames())
    assert [frame.index for frame in frames] == list(range(70))
    assert np.abs(frames[66].image.astype(int) - COLOURS[1]).max() < 12


def test_a_cut_webp_is_refused(make_animation):
    path = make_animation("cut.webp", durations=[40] * 10)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 3 // 4])
    with pytest.raises(SourceError, match=r"cut.webp has fewer than two frames that can be decoded$"):
        open_source(path)


def test_a_still_webp_is_an_image(tmp_path):
    path = tmp_path / "still.webp"
    cv2.imwrite(str(path), np.zeros((20, 30, 3), np.uint8))
    with pytest.raises(SourceError, match=r"is an image, not a video$"):
        open_source(path)


def test_an_animation_takes_no_frame_rate(make_animation):
    for name in ("moving.gif", "moving.webp"):
        with pytest.raises(UsageError, match=r"has timestamps$"):
            open_source(make_animation(name), rate=Fraction(30))
