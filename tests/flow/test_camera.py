"""Camera motion, told from the scene's own motion."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from flowcli.flow.camera import CameraMotion

HEIGHT, WIDTH = 90, 120
GRID = np.stack(np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT)), axis=-1).astype(np.float32)


def turned(zoom: float, degrees: float, shift: tuple[float, float] = (0, 0)) -> np.ndarray:
    """The flow of a camera that zooms, turns the picture clockwise, and pans."""
    centre = ((WIDTH - 1) / 2, (HEIGHT - 1) / 2)
    matrix = cv2.getRotationMatrix2D(centre, -degrees, zoom)
    matrix[:, 2] += shift
    return np.asarray(cv2.transform(GRID, matrix) - GRID, np.float32)


@pytest.mark.parametrize(("zoom", "degrees", "shift"), [(1, 0, (7, -3)), (1.05, 0, (0, 0)), (0.97, 2, (4, 4))])
def test_the_camera_is_found_beside_an_object_and_noise(zoom, degrees, shift) -> None:
    camera = turned(zoom, degrees, shift)
    flow = camera + 0.05 * np.random.default_rng(0).normal(size=camera.shape).astype(np.float32)
    flow[30:60, 20:60] += (12, 5)
    found = CameraMotion.of(flow)
    assert found is not None
    assert found.speed == pytest.approx(np.hypot(*camera.reshape(-1, 2).T).mean(), abs=0.05)
    assert (found.zoom, found.rotation) == (pytest.approx(zoom, abs=2e-3), pytest.approx(degrees, abs=0.1))
    assert found.own_moving == pytest.approx(30 * 40 / (HEIGHT * WIDTH), abs=0.01)
    assert found.own_speed == pytest.approx(13 * found.own_moving, abs=0.1)


def test_unknown_flow_is_left_out_and_without_known_flow_there_is_no_camera() -> None:
    flow = turned(1.02, 1)
    flow[:40] = np.nan
    found = CameraMotion.of(flow)
    assert found is not None and found.zoom == pytest.approx(1.02, abs=1e-3)
    assert found.own_moving == 0
    flow[:] = 1e10
    assert CameraMotion.of(flow) is None
