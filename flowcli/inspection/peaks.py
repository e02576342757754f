"""The strongest response of a level over the whole second frame, and whether another place rivals it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

    Response = Float[NDArray[np.float32], "rows columns"]


@dataclass(frozen=True)
class Peak:
    """The strongest response of a level: the middle of its cell, (x, y) in cells of level 0.

    `runner_up` is the strongest response outside a lookup window around the peak, as a share of the peak; both are
    taken above the mean of the level. It is 0 if the window covers the whole level.
    """

    level: int
    place: tuple[float, float]
    runner_up: float

    def distance(self, point: tuple[float, float] | NDArray[np.float32]) -> float:
        """The larger of the distances along x and y to a point, in cells of level 0."""
        return max(abs(self.place[0] - float(point[0])), abs(self.place[1] - float(point[1])))


def peak_of(response: Response, level: int, *, radius: int) -> Peak:
    """The peak of a level's response map; `radius` is that of the lookup, in cells of the level."""
    row, column = (int(index) for index in np.unravel_index(np.argmax(response), response.shape))
    elsewhere = response.copy()
    elsewhere[max(0, row - radius) : row + radius + 1, max(0, column - radius) : column + radius + 1] = -np.inf
    mean = float(response.mean())
    height = float(response[row, column]) - mean
    rival = float(elsewhere.max()) - mean
    share = min(max(rival / height, 0.0), 1.0) if height > 0 and np.isfinite(rival) else 0.0
    side = 2**level
    return Peak(level, ((column + 0.5) * side - 0.5, (row + 0.5) * side - 0.5), share)
