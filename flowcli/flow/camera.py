"""How a camera moves, and what moves in front of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flowcli.flow.camera_motion import camera_motion
from flowcli.flow.colour import MOVING, is_unknown, magnitude

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

# The error of flow grows with its length.
_RELATIVE = 0.05


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
        known = ~is_unknown(flow)
        if not known.any():
            return None
        camera = camera_motion(flow)
        own = magnitude(flow - camera)[known]
        tolerance = np.maximum(MOVING, _RELATIVE * magnitude(flow)[known])
        (a, b), (c, d) = _at_centre(camera)
        return cls(
            speed=float(magnitude(camera)[known].mean(dtype=np.float64)),
            zoom=math.sqrt(abs(a * d - b * c)),
            rotation=math.degrees(math.atan2(c - b, a + d)),
            own_speed=float(own.mean(dtype=np.float64)),
            own_moving=float((own >= tolerance).mean()),
        )


def _at_centre(camera: Float[NDArray[np.float32], "height width 2"]) -> list[list[float]]:
    """The derivative of the places to which camera motion leads, around the centre of the frame."""
    height, width = camera.shape[:2]
    top, bottom, left, right = height // 4, height - 1 - height // 4, width // 4, width - 1 - width // 4
    along_x = (camera[height // 2, right] - camera[height // 2, left]) / np.float32(max(1, right - left))
    along_y = (camera[bottom, width // 2] - camera[top, width // 2]) / np.float32(max(1, bottom - top))
    derivative: list[list[float]] = (np.eye(2) + np.stack((along_x, along_y), axis=1)).tolist()
    return derivative
