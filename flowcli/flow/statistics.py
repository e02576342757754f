"""Statistics of flow: speed, moving pixels and dominant direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flowcli.flow.colour import MOVING, is_unknown, magnitude
from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

    Values = Float[NDArray[np.float32], " count"]

STILL = 0.001
"""The fraction of moving pixels below which a pair counts as still."""
_SECTORS = 36


@dataclass(frozen=True)
class MotionStatistics:
    """The motion of one pair over the pixels whose flow is known; `known` is their fraction.

    `mean`, `median` and `p95` are speeds in pixels, None where no flow is known. `moving` is the fraction of moving
    pixels; `direction` is the dominant one in degrees clockwise from the right (90 is down), None where nothing moves.
    """

    known: float
    mean: float | None
    median: float | None
    p95: float | None
    moving: float
    direction: float | None

    @property
    def still(self) -> bool:
        """Whether too few pixels move to be more than noise."""
        return self.moving < STILL

    @classmethod
    def of(cls, flow: Float[NDArray[np.float32], "height width 2"]) -> MotionStatistics:
        """The statistics of a flow field in pixels."""
        known = ~is_unknown(flow)
        if not known.any():
            return cls(0.0, None, None, None, 0.0, None)
        x, y, speed = (np.asarray(plane, np.float32)[known] for plane in (*cv2.split(flow), magnitude(flow)))
        moves = speed >= MOVING
        median, p95 = (float(value) for value in np.percentile(speed, (50, 95)))
        return cls(
            known=float(known.mean()),
            mean=float(speed.mean(dtype=np.float64)),
            median=median,
            p95=p95,
            moving=float(moves.mean()),
            direction=_dominant(x[moves], y[moves], speed[moves]) if moves.any() else None,
        )


def _dominant(x: Values, y: Values, speed: Values) -> float:
    """The mean direction, in degrees, around the sector of 36 with the greatest sum of speeds."""
    angle = cv2.phase(x, y, angleInDegrees=True).ravel()
    sector = (angle * np.float32(_SECTORS / 360) + np.float32(0.5)).astype(np.intp)
    sector[sector == _SECTORS] = 0
    weight, right, down = (np.bincount(sector, values, _SECTORS) for values in (speed, x, y))
    fullest = int(np.argmax(weight + 0.5 * (np.roll(weight, 1) + np.roll(weight, -1))))
    near = [(fullest + offset) % _SECTORS for offset in (-1, 0, 1)]
    return float(np.degrees(np.arctan2(down[near].sum(), right[near].sum())) % 360)
