from __future__ import annotations

import math
import time

import cv2
import numpy as np
import pytest

from flowcli.flow.colour import ColourScale, colour_flow, colour_speed, wheel


def _baker(u: float, v: float) -> tuple[int, ...]:
    """computeColor of the Middlebury colorcode.cpp, for one vector of at most unit length."""
    columns = []
    for steps, rising, fixed in ((15, 1, 0), (6, -1, 1), (4, 2, 1), (11, -2, 2), (13, 3, 2), (6, -3, 0)):
        # Of each stretch one channel is full, one rises or falls, one is empty.
        moving = {1: 1, -1: 0, 2: 2, -2: 1, 3: 0, -3: 2}[rising]
        for i in range(steps):
            column = [0, 0, 0]
            column[fixed] = 255
            column[moving] = 255 * i // steps if rising > 0 else 255 - 255 * i // steps
            columns.append(column)
    assert len(columns) == 55
    position = (math.atan2(-v, -u) / math.pi + 1) / 2 * 54
    before = int(position)
    fraction = position - before
    radius = math.hypot(u, v)
    colour = []
    for low, high in zip(columns[before], columns[(before + 1) % 55], strict=True):
        value = (1 - fraction) * low / 255 + fraction * high / 255
        colour.append(int(255 * (1 - radius * (1 - value))))
    return tuple(colour)


def _one(u, v, *, scale=1.0, seam=False):
    return colour_flow(np.array([[[u, v]]], np.float32), scale=ColourScale(scale, seam=seam))[0, 0].astype(int)


@pytest.mark.parametrize("seam", [False, True])
def test_colours_are_those_of_the_formula(seam):
    random = np.random.default_rng(0)
    for _ in range(500):
        angle, radius = random.uniform(-math.pi, math.pi), random.uniform(0, 1)
        u, v = radius * math.cos(angle), radius * math.sin(angle)
        if u > 0 and abs(v) < 1 / 128:
            continue  # here the formula jumps from the last hue to the first, which the table smooths
        if not seam and 0 < -v < math.tan(2 * math.pi * 5 / 54) * u:
            continue  # from magenta to red, where the jump is spread
        assert np.abs(_one(7 * u, 7 * v, scale=7, seam=seam) - _baker(u, v)).max() <= 5, (u, v)


def _steps(*, seam):
    """The changes of colour from half a degree to the next, and whether they lie within 2 degrees of the right."""
    angles = np.radians(np.arange(-180, 180, 0.5))
    flow = 90 * np.dstack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    row = colour_flow(flow, scale=ColourScale(90, seam=seam))[0].astype(int)
    return np.abs(np.diff(row, axis=0)).sum(axis=1), np.abs(angles[1:]) < np.radians(2)


def test_colours_change_no_faster_at_the_right_than_elsewhere():
    steps, right = _steps(seam=False)
    assert steps[right].max() <= steps[~right].max()
    steps, right = _steps(seam=True)
    assert steps[right].max() > 3 * steps[~right].max()


@pytest.mark.parametrize("seam", [False, True])
@pytest.mark.parametrize(
    ("u", "v", "colour"),
    [
        (1, 0, (255, 0, 0)),
        (0, 1, (255, 229, 0)),
        (-1, 0, (0, 209, 255)),
        (0, -1, (88, 0, 255)),
    ],
    ids=["right is red", "down is yellow", "left is cyan", "up is violet"],
)
def test_directions_have_their_colours(u, v, colour, seam):
    assert np.abs(_one(u, v, seam=seam) - colour).max() <= 12, _one(u, v, seam=seam)


def test_no_motion_is_white():
    assert np.all(colour_flow(np.zeros((40, 50, 2), np.float32), scale=ColourScale(3)) == 255)


def test_faster_than_the_scale_keeps_its_hue():
    for u, v in ((3, 1), (-2, 5), (0.1, -1)):
        length = math.hypot(u, v)
        assert np.abs(_one(100 * u, 100 * v) - _one(u / length, v / length)).max() <= 3


def test_unknown_flow_is_black():
    for unknown in (np.nan, np.inf, 1e10, -1e10):
        flow = np.full((40, 50, 2), 0.5, np.float32)
        flow[3, 4, 0] = flow[35, 6, 1] = unknown
        black = (colour_flow(flow, scale=ColourScale(1)) == 0).all(axis=2)
        assert np.argwhere(black).tolist() == [[3, 4], [35, 6]], unknown


def test_the_noise_of_still_frames_stays_nearly_white():
    noise = np.random.default_rng(0).normal(0, 0.02, (60, 80, 2)).astype(np.float32)
    scale = ColourScale.covering([np.hypot(noise[..., 0], noise[..., 1])])
    assert scale.max_flow == 1.0
    assert colour_flow(noise, scale=scale).min() > 220


def test_the_scale_covers_fast_motion_but_no_outlier_pixel():
    slow, fast = np.full(1000, 2, np.float32), np.full(1000, 12, np.float32)
    fast[:5] = 500
    fast[5:8] = np.nan
    unknown = np.full(9, np.nan, np.float32)
    assert ColourScale.covering([slow, slow, fast, fast, fast, unknown]).max_flow == 12


def test_a_pair_across_a_cut_does_not_set_the_scale():
    pairs = [np.full(10, speed, np.float32) for speed in (3, 400, 5, 4, 6)]
    assert ColourScale.covering(pairs).max_flow == 6


def test_a_gamma_above_1_shows_slow_motion_more_strongly_and_leaves_the_fastest():
    def saturation(speed, gamma):
        flow = np.array([[[speed, 0]]], np.float32)
        return 1 - colour_flow(flow, scale=ColourScale(4, gamma=gamma))[0, 0, 1] / 255

    for speed in (0.5, 1, 2, 4):
        assert saturation(speed, 2) == pytest.approx((speed / 4) ** 0.5, abs=0.02)
        assert saturation(speed, 0.5) == pytest.approx((speed / 4) ** 2, abs=0.02)


def _fitted(*speeds):
    return ColourScale(1).fitted([np.full(400, speed, np.float32) for speed in speeds], gamma=True)


def test_a_fitted_scale_shows_the_beginning_of_motion_that_grows():
    scale = _fitted(1, 2, 4, 8, 12)
    assert scale.max_flow == 8

    def saturation(scale):
        return 255 - int(colour_flow(np.array([[[1, 0]]], np.float32), scale=scale)[0, 0, 1])

    assert saturation(scale) > 1.9 * saturation(ColourScale(8))


def test_a_fitted_scale_shows_slow_motion_beside_fast_motion():
    window, face, still = np.full(100, 8), np.full(500, 1.2), np.full(400, 0.1)
    frame = np.concatenate([window, face, still]).astype(np.float32)
    assert ColourScale(1).fitted([frame] * 5, gamma=True) == ColourScale(8, gamma=1.6)


def test_a_fitted_scale_is_linear_where_motion_is_even_or_absent_or_the_gamma_is_given():
    assert _fitted(5, 6, 6, 6, 6).gamma == 1
    assert _fitted(0.1, 0.2, 0.1) == ColourScale(1)
    assert ColourScale(1, gamma=3).fitted([np.arange(9, dtype=np.float32)], gamma=False).gamma == 3
    assert _fitted(math.nan, 1e10, 4) == ColourScale(4)


def test_on_a_dark_scale_no_motion_is_black_and_unknown_flow_grey():
    scale = ColourScale(4, dark=True)
    flow = np.array([[[0, 0], [4, 0], [2, 0], [np.nan, 0], [0, 1e10]]], np.float32)
    row = colour_flow(flow, scale=scale)[0].astype(int).tolist()
    assert row[0] == [0, 0, 0]
    assert np.abs(np.array(row[1]) - (255, 0, 0)).max() <= 4
    assert np.abs(np.array(row[2]) - (128, 0, 0)).max() <= 4
    assert row[3] == row[4] == [80, 80, 80]


def test_speed_goes_from_violet_to_yellow_in_every_direction_and_is_black_where_unknown():
    flow = np.array([[[0, 0], [3, 4], [-5, 0], [30, 40], [0, np.nan]]], np.float32)
    row = colour_speed(flow, scale=ColourScale(5))[0].tolist()
    viridis = cv2.applyColorMap(np.array([[0, 255]], np.uint8), cv2.COLORMAP_VIRIDIS)[0, :, ::-1].tolist()
    assert row == [viridis[0], viridis[1], viridis[1], viridis[1], [0, 0, 0]]


def test_the_wheel_shows_flow_away_from_its_centre():
    picture = wheel(20)
    assert picture.shape == (41, 41, 3)
    assert picture[20, 20].tolist() == [255, 255, 255]
    assert np.abs(picture[20, 40].astype(int) - (255, 0, 0)).max() <= 12


def test_full_hd_is_coloured_in_hundredths_of_a_second_on_one_core():
    coarse = 3 * np.random.default_rng(0).normal(size=(27, 48, 2)).astype(np.float32)
    flow = cv2.resize(coarse, (1920, 1080), interpolation=cv2.INTER_CUBIC)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        taken, plain = [], []
        for _ in range(8):
            start = time.thread_time()
            colour_flow(flow, scale=ColourScale(8))
            coloured = time.thread_time()
            np.arctan2(flow[..., 1], flow[..., 0])
            taken.append(coloured - start)
            plain.append(time.thread_time() - coloured)
    finally:
        cv2.setNumThreads(threads)
    # Against the directions alone, by NumPy, as the speed of machines varies: 5.4 times measured.
    assert min(taken) < 12 * min(plain)
