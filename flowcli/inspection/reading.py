"""Extracts RAFT's values at one pixel: its response maps, and its lookups and flow at every update."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from flowcli.inspection.gates import gates_at
from flowcli.inspection.grid import Cell, Grid
from flowcli.inspection.peaks import Peak, peak_of
from raft_core.correlation import window
from raft_core.upsample import FACTOR

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from numpy.typing import NDArray

    from flowcli.inspection.observation import Observation

    Point = Float[NDArray[np.float32], " 2"]


@dataclass(frozen=True)
class Pixel:
    """A pixel of the first frame, and why it was chosen: `kind` is requested, fast, fallback or hardest."""

    x: int
    y: int
    why: str
    kind: str = "requested"


@dataclass(frozen=True, eq=False)
class Lookup:
    """One level of one lookup: the responses at the (2r + 1)² points around `center` (x, y), in cells of the level.

    `window` is an image: rows are offsets down, columns are offsets to the right, each from -r to r. `size` is that of
    the response map (rows, columns).
    """

    level: int
    center: tuple[float, float]
    window: Float[NDArray[np.float32], "side side"]
    size: tuple[int, int]

    @property
    def radius(self) -> int:
        """The radius r of the window, in cells of the level."""
        return len(self.window) // 2

    @property
    def strongest(self) -> tuple[int, int] | None:
        """The offset (dx, dy) of the strongest response within the map; None if the whole window is outside."""
        steps = np.arange(-self.radius, self.radius + 1)
        rows, columns = self.size
        x, y = self.center[0] + steps, self.center[1] + steps
        inside = ((y >= 0) & (y <= rows - 1))[:, None] & ((x >= 0) & (x <= columns - 1))
        if not inside.any():
            return None
        row, column = np.unravel_index(np.argmax(np.where(inside, self.window, -np.inf)), self.window.shape)
        return int(steps[column]), int(steps[row])

    @property
    def beyond(self) -> Bool[NDArray[np.bool_], "side side"]:
        """Which points lie so far outside the map that no cell of it is read: their value is 0."""
        steps = np.arange(-self.radius, self.radius + 1)
        rows, columns = self.size
        x, y = self.center[0] + steps, self.center[1] + steps
        return ((y <= -1) | (y >= rows))[:, None] | (x <= -1) | (x >= columns)

    def covers(self, place: Point) -> bool:
        """Whether a place, (x, y) in cells of level 0, lies in the squares of the cells that are read."""
        return bool((np.abs(self.offset_to(place)) <= self.radius + 0.5).all())

    def points_to(self, place: Point) -> bool:
        """Whether the strongest response lies within a cell of the level from a place, (x, y) in cells of level 0."""
        strongest = self.strongest
        return strongest is not None and bool((np.abs(self.offset_to(place) - strongest) <= 1).all())

    def offset_to(self, place: Point) -> Point:
        """From the center to a place in cells of level 0, in cells of the level, whose middles lie between theirs."""
        return np.asarray((place + 0.5) / 2**self.level - 0.5 - self.center, np.float32)


@dataclass(frozen=True, eq=False)
class Reading:
    """The data of one pixel; `lookups` are by update and level.

    `trajectory` holds the center of every lookup and the correspondence after the last update, (x, y) in cells of
    level 0. `flow` is the pixel's flow after every update in source px; `coarse_flow` and `deltas` are the flow and the
    updates of its cell, in cells. The pixel's last flow is the sum of `around`, the flow of the 3×3 cells around its
    own in source px (NaN outside the grid, where it counts as 0), times `weights`; `bilinear` is what bilinear
    upsampling gives, with `bilinear_weights`. `likeness` is the mean cosine of the cell's features with those of the
    cells around it. `motion` and `hidden` are the values of the cell, the hidden state also before the first update;
    for gates see `gates_at`.
    """

    pixel: Pixel
    cell: Cell
    responses: tuple[Float[NDArray[np.float32], "rows_l columns_l"], ...]
    lookups: tuple[tuple[Lookup, ...], ...]
    trajectory: Float[NDArray[np.float32], "updates_plus_1 2"]
    flow: Float[NDArray[np.float32], "updates 2"]
    coarse_flow: Float[NDArray[np.float32], "updates 2"]
    deltas: Float[NDArray[np.float32], "updates 2"]
    weights: Float[NDArray[np.float32], "3 3"]
    around: Float[NDArray[np.float32], "3 3 2"]
    bilinear: Float[NDArray[np.float32], " 2"]
    bilinear_weights: Float[NDArray[np.float32], "3 3"]
    likeness: float
    motion: Float[NDArray[np.float32], "updates motion"]
    hidden: Float[NDArray[np.float32], "updates_plus_1 hidden"]
    update_gate: Float[NDArray[np.float32], "updates passes hidden"]
    reset_gate: Float[NDArray[np.float32], "updates passes hidden"]

    @property
    def peaks(self) -> tuple[Peak, ...]:
        """The strongest response of every level in the whole second frame."""
        radius = self.lookups[0][0].radius
        return tuple(peak_of(response, level, radius=radius) for level, response in enumerate(self.responses))

    def lookup_range(self, level: int) -> tuple[float, float]:
        """The minimum and maximum response that the updates read at a level."""
        windows = [lookups[level].window for lookups in self.lookups]
        return float(np.min(windows)), float(np.max(windows))


def read(observation: Observation, pixel: Pixel) -> Reading:
    """The data of one pixel in an observation."""
    cell = observation.grid.cell_at(pixel.x, pixel.y)
    levels = range(observation.config.correlation_levels)
    responses = [observation.correlation.response((cell.row, cell.column), level).float().cpu() for level in levels]
    here = (slice(None), cell.row, cell.column)
    centers = np.stack([update.centers[here] for update in observation.updates])
    end = observation.updates[-1]
    radius = observation.config.lookup_radius
    update_gate, reset_gate = gates_at(observation, cell)
    return Reading(
        pixel=pixel,
        cell=cell,
        responses=tuple(response.numpy() for response in responses),
        lookups=tuple(
            tuple(look_up(response, center, level, radius) for level, response in enumerate(responses))
            for center in centers
        ),
        trajectory=np.stack([*centers, [cell.column, cell.row] + end.coarse_flow[here]]).astype(np.float32),
        flow=np.stack([update.flow[pixel.y, pixel.x] for update in observation.updates]),
        coarse_flow=np.stack([update.coarse_flow[here] for update in observation.updates]),
        deltas=np.stack([update.delta[here] for update in observation.updates]),
        weights=weights_at(observation, pixel),
        around=flow_around(end.coarse_flow, cell),
        bilinear=observation.bilinear_flow[pixel.y, pixel.x],
        bilinear_weights=bilinear_weights_at(observation.grid, pixel),
        likeness=likeness_at(observation.first_features, cell),
        motion=np.stack([update.motion_features[here] for update in observation.updates]),
        hidden=np.stack([observation.hidden[here], *(update.hidden[here] for update in observation.updates)]),
        update_gate=update_gate,
        reset_gate=reset_gate,
    )


def likeness_at(features: Float[NDArray[np.float32], "channels rows columns"], cell: Cell) -> float:
    """The mean cosine of a cell's features with those of the cells around it; 1 if there are none."""
    rows = slice(max(0, cell.row - 1), cell.row + 2)
    columns = slice(max(0, cell.column - 1), cell.column + 2)
    unit = features[:, rows, columns] / np.maximum(np.linalg.norm(features[:, rows, columns], axis=0), 1e-12)
    cosines = np.tensordot(unit[:, cell.row - rows.start, cell.column - columns.start], unit, axes=1)
    return float((cosines.sum() - 1) / (cosines.size - 1)) if cosines.size > 1 else 1.0


def look_up(response: torch.Tensor, center: NDArray[np.float32], level: int, radius: int) -> Lookup:
    """One level of RAFT's lookup in a response map around `center` (x, y), in cells of level 0."""
    point = torch.from_numpy(center)[:, None] / 2**level
    # The x offset varies slowest in RAFT's order; the transpose has rows along y.
    image = window(response[None].contiguous(), point, radius)[..., 0].T.numpy()
    x, y = point[:, 0].tolist()
    return Lookup(level, (x, y), image, (response.shape[0], response.shape[1]))


def flow_around(
    coarse_flow: Float[NDArray[np.float32], "2 rows columns"], cell: Cell
) -> Float[NDArray[np.float32], "3 3 2"]:
    """The flow of the 3×3 cells around a cell in source px, NaN outside the grid."""
    padded = np.pad(FACTOR * coarse_flow, ((0, 0), (1, 1), (1, 1)), constant_values=np.nan)
    return np.ascontiguousarray(padded[:, cell.row : cell.row + 3, cell.column : cell.column + 3].transpose(1, 2, 0))


def weights_at(observation: Observation, pixel: Pixel) -> NDArray[np.float32]:
    """The 3×3 weights with which upsampling combines the flow of the cells around the pixel's own."""
    grid, weights = observation.grid, observation.upsampling_weights
    if weights is None:
        return bilinear_weights_at(grid, pixel)
    x, y = pixel.x + grid.padding.left, pixel.y + grid.padding.top
    cell = grid.cell_at(pixel.x, pixel.y)
    return weights[0, :, y % FACTOR, x % FACTOR, cell.row, cell.column].view(3, 3).cpu().numpy()


def bilinear_weights_at(grid: Grid, pixel: Pixel) -> NDArray[np.float32]:
    """The 3×3 weights of bilinear upsampling with aligned corners."""
    cell = grid.cell_at(pixel.x, pixel.y)
    down = between_cells(pixel.y + grid.padding.top, grid.rows) - cell.row
    right = between_cells(pixel.x + grid.padding.left, grid.columns) - cell.column
    return np.outer(hat(down), hat(right)).astype(np.float32)


def between_cells(pixel: int, cells: int) -> float:
    """The coordinate in cells at which bilinear upsampling with aligned corners reads a pixel of the padded frame."""
    return pixel * (cells - 1) / (FACTOR * cells - 1)


def hat(place: float) -> NDArray[np.float64]:
    """The weights with which linear interpolation at `place` combines values at -1, 0 and 1."""
    return np.asarray(np.maximum(0, 1 - np.abs(np.array([-1.0, 0.0, 1.0]) - place)), np.float64)


def zoom(
    response: Float[NDArray[np.float32], "rows columns"], center: tuple[float, float], radius: int
) -> tuple[Float[NDArray[np.float32], "height width"], tuple[int, int]]:
    """The cells of a response map that a window covers, NaN outside the map, and the (x, y) of the upper left one.

    The window covers 2r + 1 cells along an axis if its center is whole there, else 2r + 2.
    """
    low = [int(np.floor(value)) - radius for value in center]
    high = [int(np.ceil(value)) + radius for value in center]
    rows, columns = response.shape
    result = np.full((high[1] - low[1] + 1, high[0] - low[0] + 1), np.nan, np.float32)
    x0, x1 = max(low[0], 0), min(high[0] + 1, columns)
    y0, y1 = max(low[1], 0), min(high[1] + 1, rows)
    if x0 < x1 and y0 < y1:
        result[y0 - low[1] : y1 - low[1], x0 - low[0] : x1 - low[0]] = response[y0:y1, x0:x1]
    return result, (low[0], low[1])
