from __future__ import annotations

import cv2
import numpy as np
import pytest

from flowcli.flow.colour import ColourScale, colour_speed
from flowcli.flow.drawing import arrows, inset, legend, legend_size, mask, overlay, side_by_side, speed_legend, warp

SCENE = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (60, 90, 3)).astype(np.uint8), (0, 0), 2)


def _shifted(x, y):
    return np.roll(SCENE, (y, x), axis=(0, 1))


def test_an_overlay_of_no_motion_is_the_frame():
    assert np.array_equal(overlay(SCENE, np.zeros((60, 90, 2), np.float32), scale=ColourScale(5)), SCENE)


def test_an_overlay_colours_moving_pixels_and_keeps_the_frame_where_flow_is_unknown():
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


@pytest.mark.parametrize("leaving", [(30, 0), (np.nan, 0), (1e10, 1e10)])
def test_pixels_that_the_second_frame_does_not_show_are_hatched(leaving):
    flow = np.zeros((60, 90, 2), np.float32)
    flow[:, 80:] = leaving
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


def _drawn(picture):
    """Where arrows are: the frame below them is grey."""
    return picture.max(axis=2).astype(int) - picture.min(axis=2) > 30


def test_arrows_begin_on_their_grid_and_point_along_the_flow():
    flow = np.zeros((60, 90, 2), np.float32)
    flow[20:] = (0, -1)
    where = _drawn(arrows(SCENE, flow, scale=ColourScale(4), spacing=20))
    # Of the rows 9, 29 and 49, two move: their arrows go up by half a spacing, and a little more for the tip.
    rows, columns = (set(places.tolist()) for places in np.nonzero(where))
    assert rows == {*range(17, 30), *range(37, 50)}
    assert {4, 24, 44, 64, 84} <= columns and not {14, 34, 54, 74} & columns


def test_arrows_have_the_colours_of_the_wheel():
    flow = np.full((60, 90, 2), (5, 0), np.float32)
    picture = arrows(SCENE, flow, scale=ColourScale(5), spacing=30)
    assert np.abs(picture[14, 20].astype(int) - (255, 0, 0)).max() <= 8


def test_slow_and_unknown_motion_has_no_arrow():
    flow = np.full((60, 90, 2), (0.4, 0), np.float32)
    flow[:, 45:] = np.nan
    assert not _drawn(arrows(SCENE, flow, scale=ColourScale(5))).any()
    assert _drawn(arrows(SCENE, flow, scale=ColourScale(5), shortest=0.3))[:, :45].any()
    assert not _drawn(arrows(SCENE, flow, scale=ColourScale(5), shortest=0))[:, 48:].any()


def test_arrows_fit_frames_of_any_size():
    for size in ((1, 1), (3, 200), (200, 3), (720, 1280)):
        frame = np.full((*size, 3), 90, np.uint8)
        assert arrows(frame, np.full((*size, 2), 3, np.float32), scale=ColourScale(2)).shape == frame.shape


def test_a_mask_is_white_where_marked():
    marked = np.eye(3, dtype=bool)
    assert np.array_equal(mask(marked), 255 * np.repeat(marked[..., None], 3, axis=2))


def test_side_by_side_keeps_both():
    picture = side_by_side(SCENE, 255 - SCENE)
    assert np.array_equal(picture, np.concatenate([SCENE, 255 - SCENE], axis=1))


def test_a_legend_fits_pictures_of_any_size():
    for size in ((1, 1), (8, 200), (60, 90), (720, 1280)):
        picture = np.full((*size, 3), 128, np.uint8)
        assert inset(picture, legend(legend_size(picture), ColourScale(12.34))).shape == (*size, 3)


def test_the_legend_is_the_wheel_with_right_red():
    key = legend(100, ColourScale(8))
    assert np.abs(key[50, 90].astype(int) - (255, 40, 40)).max() < 60
    assert key[50, 50].tolist() == [255, 255, 255]
    assert key[100:].max() == 255


def test_the_legend_looks_as_the_scale_does():
    assert legend(100, ColourScale(8, dark=True))[50, 50].tolist() == [0, 0, 0]
    strong, plain = (legend(100, ColourScale(8, gamma=gamma))[50, 60, 1] for gamma in (3.0, 1.0))
    assert strong < plain


def test_the_legend_of_speed_has_its_colours_from_left_to_right():
    key = speed_legend(120, ColourScale(8))
    ramp = colour_speed(np.array([[[0, 0], [8, 0]]], np.float32), scale=ColourScale(8))[0]
    assert np.abs(key[15, [8, -9]].astype(int) - ramp).max() <= 6
    assert key[30:].max() > 200  # the text
