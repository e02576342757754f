"""GIF and animated WebP, read back by OpenCV."""

from __future__ import annotations

import importlib
from fractions import Fraction
from itertools import islice

import cv2
import numpy as np
import pytest

from flowcli.flow.colour import ColourScale, colour_flow
from flowcli.flow.drawing import swatch
from flowcli.flow.naming import Part
from flowcli.media.pyav import GifWriter, WebpWriter

SCALE = ColourScale(10)
KINDS = ("gif", "webp")


def _writer(path, rate=25):
    if path.suffix == ".webp":
        return WebpWriter(path)
    return GifWriter(path, rate=Fraction(rate), colours=swatch(SCALE))


def _picture(number, size=(100, 160)):
    """A drawing of flow in every direction, rotated by `number`; zero at the left, constant at the right."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    u, v = (x - size[1] / 2) / 8, (y - size[0] / 2) / 8
    angle = number / 5
    flow = np.dstack([u * np.cos(angle) - v * np.sin(angle), u * np.sin(angle) + v * np.cos(angle)])
    flow[:, :30] = 0
    flow[:, -30:] = (3, 1)
    return colour_flow(flow.astype(np.float32), scale=SCALE)


def _write(path, numbers, *, rate=25, size=(100, 160)):
    writer = _writer(path, rate)
    for number in numbers:
        writer.write(_picture(number, size), time=Fraction(number - numbers[0], rate))
    writer.close()
    return path


def _read(path):
    known, animation = cv2.imreadanimation(str(path))
    assert known
    return [np.ascontiguousarray(frame[..., 2::-1]) for frame in animation.frames], list(animation.durations), animation


@pytest.mark.parametrize(("kind", "least_psnr"), [("gif", 28), ("webp", 32)])
def test_an_animation_shows_every_picture_for_its_time_and_repeats(tmp_path, kind, least_psnr):
    frames, durations, animation = _read(_write(tmp_path / f"a.{kind}", range(6)))
    assert durations == [40] * 6
    assert animation.loop_count == 0
    for number, frame in enumerate(frames):
        assert cv2.PSNR(frame, _picture(number)) > least_psnr


@pytest.mark.parametrize("kind", KINDS)
def test_equal_flow_has_equal_colours_in_every_picture_of_an_animation(tmp_path, kind):
    frames, _, _ = _read(_write(tmp_path / f"a.{kind}", range(6)))
    tolerance = 0 if kind == "gif" else 3
    for frame in frames:
        assert np.abs(frame[8:-8, -20:].astype(int) - frames[0][8:-8, -20:]).max() <= tolerance
        assert 255 - frame[8:-8, :20].min() <= tolerance


def test_a_gif_is_not_faster_than_browsers_play_it(tmp_path):
    _, durations, _ = _read(_write(tmp_path / "a.gif", range(12), rate=60))
    assert min(durations) >= 20
    assert sum(durations) == pytest.approx(200, abs=20)


@pytest.mark.parametrize("kind", KINDS)
def test_an_animation_is_scaled_down_to_480_pixels(tmp_path, kind):
    for size, expected in (((540, 960), (270, 480)), ((960, 60), (480, 30)), ((33, 21), (33, 21))):
        frames, _, _ = _read(_write(tmp_path / f"a.{kind}", range(2), size=size))
        assert frames[0].shape[:2] == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("counts", [(7, 5), (1, 4, 1)])
def test_joined_parts_equal_the_whole_animation(tmp_path, kind, counts):
    total, parts = sum(counts), []
    for count in counts:
        begin = total - sum(counts[len(parts) :])
        path = _write(tmp_path / f"{begin}.{kind}", range(begin, begin + count))
        parts.append(Part(path, Fraction(begin, 25)))
    importlib.import_module(f"flowcli.flow.outputs.{kind}").join(parts, tmp_path / f"joined.{kind}")
    frames, durations, animation = _read(tmp_path / f"joined.{kind}")
    assert durations == [40] * total
    assert animation.loop_count == 0
    for number, frame in enumerate(frames):
        assert cv2.PSNR(frame, _picture(number)) > 28


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("counts", [(3, 4), (1, 2, 4), (6, 1)])
def test_the_last_picture_of_a_part_is_shown_until_the_next_part_begins(tmp_path, kind, counts):
    times = [Fraction(ms, 1000) for ms in (0, 40, 80, 500, 540, 1500, 1540)]
    numbers, parts = iter(range(len(times))), []
    for count in counts:
        own = list(islice(numbers, count))
        writer = _writer(tmp_path / f"{own[0]}.{kind}")
        for number in own:
            writer.write(_picture(number), time=times[number])
        writer.close()
        parts.append(Part(tmp_path / f"{own[0]}.{kind}", times[own[0]]))
    importlib.import_module(f"flowcli.flow.outputs.{kind}").join(parts, tmp_path / f"joined.{kind}")
    _, durations, _ = _read(tmp_path / f"joined.{kind}")
    assert durations[:-1] == [40, 40, 420, 40, 960, 40]
