"""Statistics of flow: speed, moving pixels and dominant direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flowcli.flow.colour import MOVING, is_unknown, magnitude

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

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
        vectors = flow[known]
        speed = magnitude(flow)[known]
        moves = speed >= MOVING
        median, p95 = (float(value) for value in np.percentile(speed, (50, 95)))
        return cls(
            known=float(known.mean()),
            mean=float(speed.mean(dtype=np.float64)),
            median=median,
            p95=p95,
            moving=float(moves.mean()),
            direction=_dominant(vectors[moves], speed[moves]) if moves.any() else None,
        )


def _dominant(vectors: Float[NDArray[np.float32], "count 2"], speed: NDArray[np.float32]) -> float:
    """The mean direction, in degrees, around the sector of 36 with the greatest sum of speeds."""
    angle = np.degrees(np.arctan2(vectors[:, 1], vectors[:, 0])) % 360
    width = 360 / _SECTORS
    sector = np.rint(angle / width).astype(int) % _SECTORS
    weight = np.bincount(sector, speed, _SECTORS)
    fullest = int(np.argmax(weight + 0.5 * (np.roll(weight, 1) + np.roll(weight, -1))))
    near = (sector - fullest + 1) % _SECTORS <= 2
    x, y = vectors[near].sum(axis=0, dtype=np.float64)
    return float(np.degrees(np.arctan2(y, x)) % 360)
