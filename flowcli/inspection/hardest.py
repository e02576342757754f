"""The pixel at which RAFT fails most, and by a named rule why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from flowcli.inspection.grid import Cell
from flowcli.inspection.observation import array
from flowcli.inspection.reading import Pixel
from flowcli.system.opencv import cv2
from raft_core.grid import warp_by
from raft_core.raft import last
from raft_core.upsample import FACTOR

if TYPE_CHECKING:
    from collections.abc import Collection

    from jaxtyping import Float
    from numpy.typing import NDArray

    from flowcli.inspection.inputs import GroundTruth, Subject
    from flowcli.inspection.observation import Observation

FLAT = 3.0
"""Grey levels: below this standard deviation, the 3 x 3 cells around a pixel are textureless."""
RIVAL = 0.9
"""From this share of the response at the right place on, one elsewhere makes the pixel repeated."""
WRONG = 1.0
"""The error, or the disagreement of forward and backward flow, in px, from which on a pixel is hard."""


def hardest_pixel(observation: Observation, subject: Subject, *, taken: Collection[Cell]) -> Pixel | None:
    """The middle of the cell where the error is largest; if known at no middle, where the way back ends farthest away.

    None if all cells are taken. `why` names the first of these rules that holds: it leaves the frame; it is hidden (by
    ground truth); textureless; repeated; hidden or mistaken (its way back ends elsewhere); or none of them.
    """
    truth, visible = subject.ground_truth, observation.grid.visible
    # Sparse ground truth may be known at the middle of no cell.
    errors = None if truth is None else errors_of(observation, truth)
    measured = errors is not None and bool(np.isfinite(errors[visible]).any())
    wrong = errors if errors is not None and measured else way_back(observation)
    free = np.full(wrong.shape, -np.inf, np.float32)
    free[visible] = np.nan_to_num(wrong[visible], nan=0.0, neginf=-np.inf)
    for cell in taken:
        free[cell.row, cell.column] = -np.inf
    row, column = (int(index) for index in np.unravel_index(np.argmax(free), free.shape))
    worst = float(free[row, column])
    if not np.isfinite(worst):
        return None
    reason = "nothing here is hard" if worst < WRONG else reason_of(observation, subject, Cell(row, column))
    amount = f"error {worst:.1f} px" if measured else f"the way back ends {worst:.1f} px from it"
    return Pixel(*observation.grid.pixel_in(Cell(row, column)), f"hardest ({amount}): {reason}", "hardest")


def errors_of(observation: Observation, truth: GroundTruth) -> Float[NDArray[np.float32], "rows columns"]:
    """The error of the middle pixel of every cell, in px; -inf where ground truth is unknown."""
    grid = observation.grid
    error = np.linalg.norm(observation.flow - truth.flow, axis=2)
    error[~truth.valid] = -np.inf
    middle = [[grid.pixel_in(Cell(row, column)) for column in range(grid.columns)] for row in range(grid.rows)]
    x, y = np.moveaxis(np.array(middle), -1, 0)
    return np.asarray(error[y, x], np.float32)


def way_back(observation: Observation) -> Float[NDArray[np.float32], "rows columns"]:
    """How far from each cell one ends who follows its flow and then the backward flow from there, in px.

    NaN where the flow leaves the grid.
    """
    model, flow = observation.model, observation.last.flow
    with torch.inference_mode():
        context = model.read_context(observation.second_input)
        backward = last(model.updates(observation.correlation.transposed(), context), len(observation.updates)).flow
        returned = warp_by(backward, flow.float())
        distance = FACTOR * (flow + returned.image).norm(dim=1).where(returned.inside, torch.nan)
    return array(distance[0])


def reason_of(observation: Observation, subject: Subject, cell: Cell) -> str:
    """The first rule that explains why a cell is hard."""
    x, y = observation.grid.pixel_in(cell)
    truth = subject.ground_truth
    known = truth is not None and bool(truth.valid[y, x])
    flow = truth.flow[y, x] if truth is not None and known else observation.flow[y, x]
    height, width = subject.first.shape[:2]
    outside = max(-(x + flow[0]), x + flow[0] - (width - 1), -(y + flow[1]), y + flow[1] - (height - 1))
    if outside > 0:
        return f"leaves the frame, by {outside:.0f} px"
    if truth is not None and truth.visible is not None and not truth.visible[y, x]:
        return "hidden, the second frame does not show it"
    contrast = contrast_around(subject.first, x, y)
    if contrast < FLAT:
        return f"textureless, the 24 x 24 px around it vary by {contrast:.1f} grey levels"
    response = observation.correlation.response((cell.row, cell.column), 0).float().cpu().numpy()
    end = np.array((cell.column, cell.row)) + flow / FACTOR
    share, distance = rival_of(response, end, radius=observation.config.lookup_radius)
    if share >= RIVAL:
        place = "the true one" if known else "where the flow ends"
        better = "better than" if share > 1 else f"{100 * share:.0f} % as well as"
        return f"repeated, a place {distance:.0f} cells away matches {better} {place}"
    if (truth is not None and truth.visible is not None) or way_back(observation)[cell.row, cell.column] < WRONG:
        return "none of the rules explains it: it is visible, textured and unique"
    return "hidden or mistaken, the way back does not lead to it"


def rival_of(
    response: Float[NDArray[np.float32], "rows columns"], end: NDArray[np.float32], *, radius: int
) -> tuple[float, float]:
    """The strongest response outside a lookup window around a place (x, y), as a share of that at the place.

    Both are taken above the mean; the response at the place is the strongest within a cell. Also its distance.
    """
    rows, columns = np.indices(response.shape)
    away = np.maximum(np.abs(columns - end[0]), np.abs(rows - end[1]))
    here = response[away <= max(1.0, float(away.min()))].max() - response.mean()
    elsewhere = np.where(away > radius, response - response.mean(), -np.inf)
    best = int(np.argmax(elsewhere))
    if not np.isfinite(elsewhere.flat[best]):
        return 0.0, 0.0
    share = float(elsewhere.flat[best] / here) if here > 0 else float("inf")
    return share, float(away.flat[best])


def contrast_around(image: NDArray[np.uint8], x: int, y: int) -> float:
    """The standard deviation, in grey levels, of the 3 x 3 cells' worth of pixels around a pixel."""
    reach = 3 * FACTOR // 2
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    return float(grey[max(0, y - reach) : y + reach, max(0, x - reach) : x + reach].std())
