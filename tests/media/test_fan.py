from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from flowcli.media.demo_clip import FanGroundTruth, fan_flow, fan_frames
from flowcli.media.demo_clip.shapes import rotor_distance, stand_distance

HEIGHT, WIDTH = 288, 384


@pytest.fixture(scope="module")
def frames() -> list[NDArray[np.uint8]]:
    return [frame.image for frame in fan_frames(3)]


@pytest.fixture(scope="module")
def truth() -> FanGroundTruth:
    return fan_flow(0)


def pulled_back(values: NDArray[np.generic], flow: NDArray[np.float32]) -> NDArray[np.float32]:
    y, x = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
    warped = cv2.remap(values.astype(np.float32), x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR)
    return np.asarray(warped, dtype=np.float32)


@pytest.mark.parametrize("skip", [1, 2])
def test_the_true_flow_brings_the_second_frame_onto_the_first_where_visible(
    frames: list[NDArray[np.uint8]], skip: int
) -> None:
    truth = fan_flow(0, skip)
    difference = np.abs(pulled_back(frames[skip], truth.flow) - frames[0]).mean(axis=2)
    still = np.abs(frames[skip].astype(np.float32) - frames[0]).mean(axis=2)
    assert 0.85 < truth.visible.mean() < 0.98
    assert np.median(difference[truth.visible]) < 1.0
    assert difference[truth.visible].mean() < 2.0
    assert still.mean() > 8.0
    assert difference[~truth.visible].mean() > 10.0


def test_blades_turn_by_the_same_angle_everywhere(truth: FanGroundTruth) -> None:
    """Whatever the axle does, the vector between two points of a rigid body turns by the body's angle."""
    speed = np.hypot(*truth.flow.transpose(2, 0, 1))
    y, x = np.nonzero(speed > 5)  # only blades are so fast
    before = x + 1j * y
    after = before + truth.flow[y, x, 0] + 1j * truth.flow[y, x, 1]
    ratio = (after[1:] - after[0]) / (before[1:] - before[0])
    assert np.angle(ratio) == pytest.approx(0.12, abs=1e-3)
    assert np.abs(ratio) == pytest.approx(1.0, abs=5e-3)


def test_motion_goes_every_way_and_grows_from_hub_to_tips(truth: FanGroundTruth) -> None:
    speed = np.hypot(*truth.flow.transpose(2, 0, 1))
    blades = truth.flow[speed > 5]
    eighths = np.floor((np.arctan2(blades[:, 1], blades[:, 0]) / np.pi + 1) * 4).astype(int) % 8
    assert (np.bincount(eighths, minlength=8) > 200).all()
    assert 10 < speed.max() < 13
    assert 0.5 < np.median(speed) < 2
    axle_row, axle_column = HEIGHT // 2 - 22, WIDTH // 2
    assert speed[axle_row - 6 : axle_row + 6, axle_column - 6 : axle_column + 6].max() < 2.5


def test_flow_there_and_back_returns_where_visible(truth: FanGroundTruth) -> None:
    back = fan_flow(1, -1).flow
    away = np.hypot(*(truth.flow + pulled_back(back, truth.flow)).transpose(2, 0, 1))
    # The backward flow is read between pixels: only at outlines does that mix two layers.
    assert np.mean(away[truth.visible] < 0.01) > 0.85
    assert np.median(away[~truth.visible]) > 0.5


def test_frames_are_the_same_every_time(frames: list[NDArray[np.uint8]]) -> None:
    again = next(fan_frames(1))
    assert np.array_equal(again.image, frames[0])
    assert not np.array_equal(frames[0], frames[1])


def test_frames_are_numbered_and_timed_from_zero_and_have_the_size_asked_for() -> None:
    clip = list(fan_frames(3, 72, 128))
    assert [frame.index for frame in clip] == [0, 1, 2]
    assert [frame.time for frame in clip] == [Fraction(0), Fraction(1, 24), Fraction(1, 12)]
    assert all(frame.image.shape == (72, 128, 3) and frame.image.dtype == np.uint8 for frame in clip)


def test_a_smaller_clip_moves_in_proportion() -> None:
    large, small = fan_flow(3), fan_flow(3, height=144, width=192)
    speeds = [np.hypot(*truth.flow.transpose(2, 0, 1)).max() for truth in (large, small)]
    assert speeds[1] == pytest.approx(speeds[0] / 2, rel=0.02)


@pytest.mark.parametrize("distance", [rotor_distance, stand_distance])
def test_outlines_measure_true_distance_near_their_edges(distance: object) -> None:
    step = 1e-4
    y, x = np.mgrid[-110:140, -150:150] * 1.0
    points = x + 1j * y
    here = distance(points)  # type: ignore[operator]
    slope = np.hypot(distance(points + step) - here, distance(points + 1j * step) - here) / step  # type: ignore[operator]
    near = slope[np.abs(here) < 0.5]
    assert np.percentile(near, [5, 50, 95]) == pytest.approx([1, 1, 1], abs=0.1)
