"""Legends are small, fit every picture, and are drawn as the scale is."""

from __future__ import annotations

import numpy as np
import pytest

from flowcli.flow.colour import ColourScale, colour_speed
from flowcli.flow.legend import with_legend

SCALE = ColourScale(12.3)
SIZES = [(144, 176), (360, 640), (1080, 1920), (2160, 3840)]


def changed(picture: np.ndarray, scale: ColourScale = SCALE, **options: bool) -> tuple[np.ndarray, slice]:
    """The picture with a legend, and the part of it that the legend changed."""
    result = with_legend(picture, scale, **options)
    rows, columns = np.nonzero((result != picture).any(axis=2))
    return result, np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_legend_is_small_and_its_letters_are_large_enough_to_read(size):
    picture = np.full((*size, 3), 160, np.uint8)
    result, place = changed(picture)
    height, width = result[place].shape[:2]
    assert height * width <= (0.1 if size[0] < 200 else 0.04) * size[0] * size[1]

    ink = result[place].max(axis=2) < 100  # letters are dark, the wheel is bright
    lines = np.flatnonzero(ink.any(axis=1))
    assert lines.max() - lines.min() >= max(7, size[0] / 70)


@pytest.mark.parametrize("size", [(1, 1), (8, 200), (200, 8), (30, 30)])
@pytest.mark.parametrize("speed", [False, True])
def test_a_legend_fits_pictures_of_any_size(size, speed):
    picture = np.full((*size, 3), 128, np.uint8)
    assert with_legend(picture, ColourScale(12.34), speed=speed, stabilised=True).shape == picture.shape


def test_a_legend_has_round_corners_and_lets_the_picture_through():
    dark, bright = (changed(np.full((360, 640, 3), level, np.uint8)) for level in (60, 120))
    assert dark[1] == bright[1]
    card = dark[0][dark[1]]
    assert card[0, 0].max() < 100
    edge = [image[place][2, image[place].shape[1] // 2].astype(int) for image, place in (dark, bright)]
    assert (edge[0] > 180).all() and (edge[1] > edge[0]).all()


def test_the_wheel_of_a_legend_has_the_colours_of_the_scale():
    picture = np.full((1080, 1920, 3), 160, np.uint8)

    def wheel(scale: ColourScale) -> np.ndarray:
        result, place = changed(picture, scale)
        card = result[place]
        middle, radius = card.shape[1] // 2, 1080 // 9 // 2
        top = int(np.flatnonzero((np.ptp(card.astype(int), axis=2) > 60).any(axis=1))[0])
        return card[top + radius, middle : middle + radius].astype(int)  # from the centre to the right

    light, strong, dark = wheel(ColourScale(8)), wheel(ColourScale(8, gamma=3)), wheel(ColourScale(8, dark=True))
    assert light[0].min() > 240 and dark[0].max() < 15
    assert np.abs(light[-3] - (255, 0, 0)).max() < 25
    assert strong[10, 1] < light[10, 1] - 50


def test_the_legend_of_speed_has_its_colours_from_left_to_right():
    result, place = changed(np.full((1080, 1920, 3), 160, np.uint8), ColourScale(8), speed=True)
    ramp = colour_speed(np.array([[[0, 0], [8, 0]]], np.float32), scale=ColourScale(8))[0].astype(int)
    colourful = np.ptp(result[place].astype(int), axis=2) > 60
    row = int(np.flatnonzero(colourful.any(axis=1)).mean())
    columns = np.flatnonzero(colourful[row])
    assert np.abs(result[place][row, columns[[2, -3]]].astype(int) - ramp).max() <= 6


def test_a_legend_says_that_the_picture_is_stabilised():
    picture = np.full((360, 640, 3), 160, np.uint8)
    plain, said = (changed(picture, stabilised=stabilised) for stabilised in (False, True))
    assert said[0][said[1]].shape[0] > plain[0][plain[1]].shape[0] + 7
