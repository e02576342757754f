"""What a field of flow says in numbers: how fast, how much of it, and whereto."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flowcli.flow.colour import is_unknown, magnitude

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

MOVING = 0.5
"""Pixels per pair from which on something counts as moving: below lies what noise moves too."""
STILL = 0.001
"""The share of moving pixels below which a pair counts as still."""
_SECTORS = 36


@dataclass(frozen=True)
class MotionStatistics:
    """The motion of one pair over the pixels whose flow is known: `known` is their share.

    `mean`, `median` and `p95` are speeds in pixels; None where no flow is known. `moving` is the share of pixels that
    do; `direction` is where most motion goes, in degrees clockwise from the right (90 is down), None where none does.
    """

    known: float
    mean: float | None
    median: float | None
    p95: float | None
    moving: float
    direction: float | None

    @property
    def still(self) -> bool:
        """Whether nothing moves but noise."""
        return self.moving < STILL

    @classmethod
    def of(cls, flow: Float[NDArray[np.float32], "height width 2"]) -> MotionStatistics:
        """The motion of a field."""
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
    """The mean direction around the fullest of 36 sectors, in which each vector counts as much as it is long."""
    angle = np.degrees(np.arctan2(vectors[:, 1], vectors[:, 0])) % 360
    width = 360 / _SECTORS
    sector = np.rint(angle / width).astype(int) % _SECTORS
    weight = np.bincount(sector, speed, _SECTORS)
    fullest = int(np.argmax(weight + 0.5 * (np.roll(weight, 1) + np.roll(weight, -1))))
    near = (sector - fullest + 1) % _SECTORS <= 2
    x, y = vectors[near].sum(axis=0, dtype=np.float64)
    return float(np.degrees(np.arctan2(y, x)) % 360)
