"""Hard cuts are found; motion, flashes and fades are not cuts."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from flowcli.media.cuts import number_shots
from flowcli.media.frames import Frame
from flowcli.media.sources import open_source

CLIPS = Path(__file__).parents[3] / "shared" / "clips"

Image = NDArray[np.uint8]


def scene(seed: int) -> Image:
    """An image with coarse and fine structure, 200 x 400."""
    noise = np.random.default_rng(seed)
    layers = [
        cv2.resize(noise.random((size, 2 * size, 3)), (400, 200), interpolation=cv2.INTER_CUBIC) for size in (4, 40)
    ]
    return np.clip(255 * (0.7 * layers[0] + 0.3 * layers[1]), 0, 255).astype(np.uint8)


def shots_of(images: Iterable[Image]) -> list[int]:
    frames = (Frame(index, Fraction(index, 25), image) for index, image in enumerate(images))
    return [frame.shot for frame in number_shots(frames)]


def view(image: Image, x: int) -> Image:
    return image[:, x : x + 200]


def test_every_cut_begins_a_shot() -> None:
    images = [view(scene(number), 10 * step) for number in range(3) for step in range(4)]
    assert shots_of(images) == [0] * 4 + [1] * 4 + [2] * 4


def test_a_cut_to_a_single_frame_and_back_is_two_cuts() -> None:
    images = [view(scene(seed), 0) for seed in (0, 0, 0, 1, 0, 0)]
    assert shots_of(images) == [0, 0, 0, 1, 2, 2]


def test_motion_is_not_a_cut() -> None:
    image = scene(3)
    for speed in (0, 5, 15, 30):
        assert set(shots_of(view(image, min(200, speed * step)) for step in range(8))) == {0}, speed


def test_a_flash_is_not_a_cut() -> None:
    image = view(scene(4), 0).astype(float)
    images = [
        np.clip(gain * image + lift, 0, 255).astype(np.uint8) for gain, lift in ((1, 0), (1, 0), (0.6, 100), (1, 0))
    ]
    assert shots_of(images) == [0] * 4


def test_a_fade_is_not_a_cut() -> None:
    first, second = view(scene(5), 0), view(scene(6), 0)
    weights = np.linspace(0, 1, 13)
    assert set(shots_of(cv2.addWeighted(first, 1 - weight, second, weight, 0) for weight in weights)) == {0}


def test_noise_on_black_is_not_a_cut() -> None:
    noise = np.random.default_rng(0)
    assert set(shots_of(noise.integers(0, 12, (48, 64, 3), dtype=np.uint8) for _ in range(6))) == {0}


@pytest.mark.parametrize(("name", "cuts"), [("bikes.mp4", [30, 76, 137, 187, 242]), ("bigbuckbunny.mp4", [])])
def test_the_cuts_of_real_clips_are_found(name: str, cuts: list[int]) -> None:
    if not (CLIPS / name).exists():
        pytest.skip("needs ../shared/clips")
    with open_source(CLIPS / name) as source:
        shots = [frame.shot for frame in number_shots(source.frames())]
    assert [index for index in range(1, len(shots)) if shots[index] != shots[index - 1]] == cuts
