from __future__ import annotations

import cv2
import numpy as np
import pytest

from flowcli.flow.colour import ColourScale
from flowcli.flow.drawing import arrows, occlusion, overlay, side_by_side, warp

SCENE = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (60, 90, 3)).astype(np.uint8), (0, 0), 2)


def _shifted(x, y):
    return np.roll(SCENE, (y, x), axis=(0, 1))


def test_an_overlay_leaves_motion_below_half_a_pixel_alone():
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, (60, 90))
    noise = 0.49 * np.dstack([np.cos(angle), np.sin(angle)]).astype(np.float32)
    for scale in (ColourScale(1), ColourScale(5, gamma=2)):
        assert np.array_equal(overlay(SCENE, noise, scale=scale), SCENE)


def test_an_overlay_lets_the_frame_through_where_it_moves_fast():
    flow = np.full((60, 90, 2), (20, 0), np.float32)
    picture = overlay(SCENE, flow, scale=ColourScale(5))
    light, seen = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(float).ravel() for image in (SCENE, picture))
    assert np.corrcoef(light, seen)[0, 1] > 0.95
    assert seen.std() > 0.4 * light.std()


def test_an_overlay_colours_moving_pixels_and_keeps_the_frame_where_flow_is_unknown():
    flow = np.zeros((60, 90, 2), np.float32)
    flow[:, 30:60] = (5, 0)
    flow[:, 60:] = np.nan
    picture = overlay(SCENE, flow, scale=ColourScale(5)).astype(int)
    assert np.array_equal(picture[:, :30], SCENE[:, :30])
    assert np.array_equal(picture[:, 60:], SCENE[:, 60:])
    redder = picture[..., 0] - picture[..., 1] - (SCENE[..., 0].astype(int) - SCENE[..., 1])
    assert redder[:, 30:60].min() > 60


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


def test_flow_that_is_not_confirmed_is_hatched_in_another_colour_than_flow_that_leaves_the_frame():
    flow = np.zeros((60, 90, 2), np.float32)
    flow[:, 80:] = (30, 0)
    failed = np.zeros((60, 90), bool)
    failed[10:30, 10:30] = failed[:, 80:] = True
    picture = warp(SCENE, SCENE, flow, occluded=failed).astype(int)
    hatched = (picture != SCENE).any(axis=2)
    red, blue = hatched & (picture[..., 0] >= 190), hatched & (picture[..., 2] >= 190)
    assert not hatched[~failed].any()
    assert red[:, 80:].any() and not red[:, :80].any()
    assert blue[10:30, 10:30].any() and not blue[:, 80:].any()


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


def test_no_motion_has_no_arrow_whatever_the_least_motion_is():
    assert not _drawn(arrows(SCENE, np.zeros((60, 90, 2), np.float32), scale=ColourScale(5), shortest=0)).any()


def test_arrows_fit_frames_of_any_size():
    for size in ((1, 1), (3, 200), (200, 3), (720, 1280)):
        frame = np.full((*size, 3), 90, np.uint8)
        assert arrows(frame, np.full((*size, 2), 3, np.float32), scale=ColourScale(2)).shape == frame.shape


def test_a_picture_of_occlusion_tells_what_leaves_the_frame_from_what_is_not_confirmed():
    flow = np.zeros((4, 9, 2), np.float32)
    flow[:, 7:] = (5, 0)
    failed = np.zeros((4, 9), bool)
    failed[:, 3:] = True
    assert occlusion(failed, flow)[2, :, 1].tolist() == [0] * 3 + [255] * 4 + [128] * 2


def test_side_by_side_keeps_both():
    picture = side_by_side(SCENE, 255 - SCENE)
    assert np.array_equal(picture, np.concatenate([SCENE, 255 - SCENE], axis=1))
