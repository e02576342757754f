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
def ground_truth() -> FanGroundTruth:
    return fan_flow(0)


def pulled_back(values: NDArray[np.generic], flow: NDArray[np.float32]) -> NDArray[np.float32]:
    y, x = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
    warped = cv2.remap(values.astype(np.float32), x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR)
    return np.asarray(warped, dtype=np.float32)


@pytest.mark.parametrize("skip", [1, 2])
def test_warping_the_second_frame_by_the_exact_flow_gives_the_first_where_visible(
    frames: list[NDArray[np.uint8]], skip: int
) -> None:
    ground_truth = fan_flow(0, skip)
    difference = np.abs(pulled_back(frames[skip], ground_truth.flow) - frames[0]).mean(axis=2)
    still = np.abs(frames[skip].astype(np.float32) - frames[0]).mean(axis=2)
    assert 0.85 < ground_truth.visible.mean() < 0.98
    assert np.median(difference[ground_truth.visible]) < 1.0
    assert difference[ground_truth.visible].mean() < 2.0
    assert still.mean() > 8.0
    assert difference[~ground_truth.visible].mean() > 10.0


def test_blades_turn_by_the_same_angle_everywhere(ground_truth: FanGroundTruth) -> None:
    """However the axle moves, the vector between two points of a rigid body turns by the body's angle."""
    speed = np.hypot(*ground_truth.flow.transpose(2, 0, 1))
    y, x = np.nonzero(speed > 5)  # only blades are this fast
    before = x + 1j * y
    after = before + ground_truth.flow[y, x, 0] + 1j * ground_truth.flow[y, x, 1]
    ratio = (after[1:] - after[0]) / (before[1:] - before[0])
    assert np.angle(ratio) == pytest.approx(0.12, abs=1e-3)
    assert np.abs(ratio) == pytest.approx(1.0, abs=5e-3)


def test_flow_has_every_direction_and_grows_from_hub_to_tips(ground_truth: FanGroundTruth) -> None:
    speed = np.hypot(*ground_truth.flow.transpose(2, 0, 1))
    blades = ground_truth.flow[speed > 5]
    eighths = np.floor((np.arctan2(blades[:, 1], blades[:, 0]) / np.pi + 1) * 4).astype(int) % 8
    assert (np.bincount(eighths, minlength=8) > 200).all()
    assert 10 < speed.max() < 13
    assert 0.5 < np.median(speed) < 2
    axle_row, axle_column = HEIGHT // 2 - 22, WIDTH // 2
    assert speed[axle_row - 6 : axle_row + 6, axle_column - 6 : axle_column + 6].max() < 2.5


def test_forward_and_backward_flow_cancel_where_visible(ground_truth: FanGroundTruth) -> None:
    back = fan_flow(1, -1).flow
    away = np.hypot(*(ground_truth.flow + pulled_back(back, ground_truth.flow)).transpose(2, 0, 1))
    # Interpolating the backward flow mixes two layers at outlines.
    assert np.mean(away[ground_truth.visible] < 0.01) > 0.85
    assert np.median(away[~ground_truth.visible]) > 0.5


def test_frames_are_deterministic(frames: list[NDArray[np.uint8]]) -> None:
    again = next(fan_frames(1))
    assert np.array_equal(again.image, frames[0])
    assert not np.array_equal(frames[0], frames[1])


def test_indices_and_times_begin_at_zero_and_frames_have_the_requested_size() -> None:
    clip = list(fan_frames(3, 72, 128))
    assert [frame.index for frame in clip] == [0, 1, 2]
    assert [frame.time for frame in clip] == [Fraction(0), Fraction(1, 24), Fraction(1, 12)]
    assert all(frame.image.shape == (72, 128, 3) and frame.image.dtype == np.uint8 for frame in clip)


def test_flow_scales_with_the_size_of_the_clip() -> None:
    large, small = fan_flow(3), fan_flow(3, height=144, width=192)
    speeds = [np.hypot(*ground_truth.flow.transpose(2, 0, 1)).max() for ground_truth in (large, small)]
    assert speeds[1] == pytest.approx(speeds[0] / 2, rel=0.02)


def test_outlines_give_euclidean_distance_near_their_edges() -> None:
    step = 1e-4
    y, x = np.mgrid[-110:140, -150:150] * 1.0
    points = x + 1j * y
    for distance in (rotor_distance, stand_distance):
        here = distance(points)
        slope = np.hypot(distance(points + step) - here, distance(points + 1j * step) - here) / step
        near = slope[np.abs(here) < 0.5]
        assert np.percentile(near, [5, 50, 95]) == pytest.approx([1, 1, 1], abs=0.1)
