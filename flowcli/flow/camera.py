"""How a camera moves, and what moves in front of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flowcli.flow.camera_motion import camera_homography, motion_at
from flowcli.flow.colour import MOVING, is_unknown, magnitude

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

# The error of flow grows with its length.
_RELATIVE = 0.05
_GRID = 200
"""Means and fractions are those of a grid of at least so many rows and columns, or of all pixels."""


@dataclass(frozen=True)
class CameraMotion:
    """The camera motion of one pair, and the scene's own motion: flow less camera motion.

    `speed` and `own_speed` are means in pixels over the pixels whose flow is known. `zoom` is the magnification at the
    centre of the frame and `rotation` the turn of the picture there, in degrees clockwise. `own_moving` is the fraction
    of pixels that move by themselves: by half a pixel, and by a twentieth of their flow.
    """

    speed: float
    zoom: float
    rotation: float
    own_speed: float
    own_moving: float

    @classmethod
    def of(cls, flow: Float[NDArray[np.float32], "height width 2"]) -> CameraMotion | None:
        """The camera motion in flow in pixels; None where no flow is known."""
        height, width = flow.shape[:2]
        step = max(1, min(height, width) // _GRID)
        sampled = np.ascontiguousarray(flow[::step, ::step])
        known = ~is_unknown(sampled)
        if not known.any():
            return None
        homography = camera_homography(flow)
        camera = motion_at(homography, np.arange(0, width, step), np.arange(0, height, step))
        own = magnitude(sampled - camera)[known]
        tolerance = np.maximum(MOVING, _RELATIVE * magnitude(sampled)[known])
        (a, b), (c, d) = _at_centre(homography, height, width)
        return cls(
            speed=float(magnitude(camera)[known].mean(dtype=np.float64)),
            zoom=math.sqrt(abs(a * d - b * c)),
            rotation=math.degrees(math.atan2(c - b, a + d)),
            own_speed=float(own.mean(dtype=np.float64)),
            own_moving=float((own >= tolerance).mean()),
        )


def _at_centre(homography: Float[NDArray[np.float64], "3 3"], height: int, width: int) -> list[list[float]]:
    """The derivative of the places to which a homography leads, around the centre of the frame."""
    top, bottom, left, right = height // 4, height - 1 - height // 4, width // 4, width - 1 - width // 4
    motion = motion_at(homography, np.array([left, width // 2, right]), np.array([top, height // 2, bottom]))
    along_x = (motion[1, 2] - motion[1, 0]) / np.float32(max(1, right - left))
    along_y = (motion[2, 1] - motion[0, 1]) / np.float32(max(1, bottom - top))
    derivative: list[list[float]] = (np.eye(2) + np.stack((along_x, along_y), axis=1)).tolist()
    return derivative
