"""Pairs in which nothing moves but noise, and pairs in which something does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import torch

from flowcli.model.still import only_noise_differs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Picture = NDArray[np.float32]

HEIGHT, WIDTH = 200, 300
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
SKY: Picture = 120 + 0.3 * ROWS


def texture() -> Picture:
    """Details of several sizes, from 20 to 230."""
    dice = np.random.default_rng(0)
    waves = np.zeros((HEIGHT, WIDTH), np.float32)
    for size in (1.5, 4, 10):
        waves += cv2.GaussianBlur(dice.normal(size=waves.shape).astype(np.float32), (0, 0), size) * size
    return np.asarray(cv2.normalize(waves, np.empty_like(waves), 20, 230, cv2.NORM_MINMAX), np.float32)


GROUND = np.where(ROWS < HEIGHT // 2, SKY, texture())


def still(first: Picture, second: Picture, *, noise: float | Picture = 0.0) -> bool:
    """The verdict on two pictures, each with Gaussian noise of its own, rounded to grey levels."""
    dice = np.random.default_rng(1)
    seen = [np.clip(picture + dice.normal(size=picture.shape) * noise, 0, 255).round() for picture in (first, second)]
    one, other = (torch.from_numpy(picture.astype(np.float32))[None, None] for picture in seen)
    return only_noise_differs(one, other)


def shifted(picture: Picture, x: float) -> Picture:
    """The picture moved by `x` px to the right."""
    matrix = np.array([[1, 0, x], [0, 1, 0]], np.float32)
    moved = cv2.warpAffine(picture, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.float32)


def with_square(x: int, *, side: int, contrast: float, behind: Picture = SKY) -> Picture:
    """A square in front of `behind`, whose left side is at `x`."""
    picture = behind.copy()
    picture[90 : 90 + side, x : x + side] += contrast
    return picture


@pytest.mark.parametrize("noise", [0, 0.3, 1, 2, 4, 8])
@pytest.mark.parametrize("scene", [SKY, GROUND, texture()], ids=["sky", "sky and ground", "texture"])
def test_noise_alone_does_not_move(scene: Picture, noise: float) -> None:
    assert still(scene, scene, noise=noise)


def test_noise_that_grows_with_brightness_does_not_move() -> None:
    assert still(texture(), texture(), noise=0.3 * np.sqrt(texture()))


def test_noise_that_is_clipped_does_not_move() -> None:
    assert still(texture() * 2 - 100, texture() * 2 - 100, noise=3)


@pytest.mark.parametrize("noise", [0, 1, 4])
@pytest.mark.parametrize("by", [0.1, 0.5, 3, 20])
def test_a_textured_frame_that_moves_by_a_tenth_of_a_pixel_moves(by: float, noise: float) -> None:
    assert not still(texture(), shifted(texture(), by), noise=noise)


@pytest.mark.parametrize("noise", [0, 1, 2])
def test_a_textured_frame_that_moves_by_a_twentieth_of_a_pixel_moves_in_less_noise(noise: float) -> None:
    assert not still(texture(), shifted(texture(), 0.05), noise=noise)


@pytest.mark.parametrize("noise", [0, 1, 2, 4])
@pytest.mark.parametrize(
    ("side", "contrast", "by"), [(4, 30, 8), (8, 20, 3), (16, 12, 8), (40, 8, 8)], ids=["dot", "bird", "ball", "ghost"]
)
def test_a_small_or_faint_thing_that_moves_before_the_sky_is_seen(
    side: int, contrast: float, by: int, noise: float
) -> None:
    first, second = (with_square(x, side=side, contrast=contrast) for x in (100, 100 + by))
    assert not still(first, second, noise=noise)


@pytest.mark.parametrize("noise", [0, 1, 2])
def test_light_that_changes_by_more_than_noise_is_not_noise(noise: float) -> None:
    assert not still(GROUND, GROUND + 2, noise=noise)


def test_a_sky_that_moves_along_its_gradient_moves() -> None:
    assert not still(SKY, SKY - 1.5, noise=2)


def test_a_pointer_that_moves_on_a_still_screen_moves() -> None:
    screen = np.full((HEIGHT, WIDTH), 240, np.float32)
    first, second = (with_square(x, side=6, contrast=-60, behind=screen) for x in (50, 90))
    assert not still(first, second)


@pytest.mark.parametrize("side", [16, 32, 48, 64])
@pytest.mark.parametrize("by", [(0, 1), (1, 1), (2, 3)])
def test_soft_texture_that_moves_in_a_small_frame_moves(side: int, by: tuple[int, int]) -> None:
    soft = 80 + 0.4 * cv2.GaussianBlur(texture(), (0, 0), 1.5)
    down, across = by
    assert not still(soft[9 : 9 + side, 9 : 9 + side], soft[9 + down :, 9 + across :][:side, :side])


def test_frames_too_different_or_too_small_to_tell_are_not_still() -> None:
    assert not still(SKY, SKY, noise=20)
    assert not still(SKY[:12], SKY[:12], noise=1)
