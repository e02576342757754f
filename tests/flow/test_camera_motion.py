"""The camera's motion is found beside things that move by themselves."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from flowcli.flow.camera_motion import camera_motion

HEIGHT, WIDTH = 144, 176


def turned(*, yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0, zoom: float = 1.0) -> np.ndarray:
    """The flow of a camera that turns by these angles, in radians, and zooms, from projected rays."""
    focal = 0.9 * WIDTH
    x, y = np.meshgrid(np.arange(WIDTH) - WIDTH / 2, np.arange(HEIGHT) - HEIGHT / 2)
    rotation, _ = cv2.Rodrigues(np.array([pitch, yaw, roll]))
    rays = np.dstack([x, y, np.full_like(x, focal)]) @ rotation.T
    return np.dstack([zoom * focal * rays[..., k] / rays[..., 2] - (x, y)[k] for k in (0, 1)]).astype(np.float32)


def noise(sigma: float) -> np.ndarray:
    return np.random.default_rng(0).normal(0, sigma, (HEIGHT, WIDTH, 2)).astype(np.float32)


@pytest.mark.parametrize(
    "camera",
    [turned(yaw=0.03), turned(pitch=-0.02, roll=0.02), turned(zoom=1.04), np.zeros((HEIGHT, WIDTH, 2), np.float32)],
    ids=["pan", "tilt and roll", "zoom", "still"],
)
def test_the_camera_is_found_though_two_fifths_of_the_frame_move_by_themselves(camera: np.ndarray) -> None:
    flow = camera + noise(0.1)
    flow[:, : 2 * WIDTH // 5] += np.float32([4, -3])

    assert np.abs(camera_motion(flow) - camera).max() < 0.3


def test_unknown_flow_and_pixels_that_are_not_valid_take_no_part() -> None:
    camera = turned(yaw=0.02, roll=0.01)
    flow, valid = camera.copy(), np.ones((HEIGHT, WIDTH), np.bool_)
    flow[:50], flow[50:100] = np.nan, 7
    valid[50:100] = False

    assert np.abs(camera_motion(flow, valid) - camera).max() < 0.05
    assert not camera_motion(np.full_like(flow, 1e10)).any()


def test_flow_that_follows_no_camera_gives_no_motion() -> None:
    assert not camera_motion(noise(20)).any()


def test_the_same_flow_gives_the_same_camera() -> None:
    flow = turned(yaw=0.02) + noise(0.5)

    assert np.array_equal(camera_motion(flow), camera_motion(flow))
