from __future__ import annotations

import cv2
import numpy as np
import pytest

from flowcli.colour import ColourScale
from flowcli.drawing import legend, overlay, side_by_side, warp, with_legend

SCENE = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (60, 90, 3)).astype(np.uint8), (0, 0), 2)


def _shifted(x, y):
    return np.roll(SCENE, (y, x), axis=(0, 1))


def test_an_overlay_of_no_motion_is_the_frame():
    assert np.array_equal(overlay(SCENE, np.zeros((60, 90, 2), np.float32), scale=ColourScale(5)), SCENE)


def test_an_overlay_colours_what_moves_and_keeps_what_is_unknown():
    flow = np.zeros((60, 90, 2), np.float32)
    flow[:, 30:60] = (5, 0)
    flow[:, 60:] = np.nan
    picture = overlay(SCENE, flow, scale=ColourScale(5)).astype(int)
    assert np.array_equal(picture[:, :30], SCENE[:, :30])
    assert np.array_equal(picture[:, 60:], SCENE[:, 60:])
    assert (picture[:, 30:60, 0] - picture[:, 30:60, 1]).min() > 150


def test_a_right_flow_warps_the_second_frame_onto_the_first():
    flow = np.full((60, 90, 2), (7, -4), np.float32)
    picture = warp(SCENE, _shifted(7, -4), flow)
    assert np.abs(picture[5:, :80].astype(int) - SCENE[5:, :80]).max() <= 1


def test_a_wrong_flow_doubles_the_picture():
    picture = warp(SCENE, _shifted(7, -4), np.zeros((60, 90, 2), np.float32))
    assert np.abs(picture.astype(int) - SCENE).mean() > 5


@pytest.mark.parametrize("flow_there", [(30, 0), (np.nan, 0), (1e10, 1e10)])
def test_what_the_second_frame_does_not_show_is_hatched(flow_there):
    flow = np.zeros((60, 90, 2), np.float32)
    flow[:, 80:] = flow_there
    picture = warp(SCENE, SCENE, flow)
    assert np.array_equal(picture[:, :80], SCENE[:, :80])
    assert np.array_equal(
        (picture[:, 80:, 0] >= 190) & (picture[:, 80:, 1] < 94), picture[:, 80:, 0] != SCENE[:, 80:, 0]
    )


def test_known_occlusion_is_hatched():
    occluded = np.zeros((60, 90), bool)
    occluded[10:30, 10:30] = True
    picture = warp(SCENE, SCENE, np.zeros((60, 90, 2), np.float32), occluded=occluded)
    assert np.array_equal(picture[~occluded], SCENE[~occluded])
    assert not np.array_equal(picture[occluded], SCENE[occluded])


def test_side_by_side_keeps_both():
    picture = side_by_side(SCENE, 255 - SCENE)
    assert np.array_equal(picture, np.concatenate([SCENE, 255 - SCENE], axis=1))


@pytest.mark.parametrize("size", [(1, 1), (8, 200), (60, 90), (720, 1280)])
def test_a_legend_fits_any_picture(size):
    assert with_legend(np.full((*size, 3), 128, np.uint8), ColourScale(12.34)).shape == (*size, 3)


def test_the_legend_is_the_wheel_with_right_red():
    key = legend(100, ColourScale(8))
    assert np.abs(key[50, 90].astype(int) - (255, 40, 40)).max() < 60
    assert key[50, 50].tolist() == [255, 255, 255]
    assert key[100:].max() == 255
