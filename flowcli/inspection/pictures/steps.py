"""Draws the proposal and the step of all cells: the direction of the strongest response, and that of the update."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.inspection.canvas import CLEAR, ORANGE, SERIES, arrow, beside, framed, tiled, titled
from flowcli.inspection.chart import Line, chart
from flowcli.inspection.figures import as_figure
from flowcli.inspection.picture import PictureFile
from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Bool, Float
    from numpy.typing import NDArray

    from flowcli.inspection.canvas import Image
    from flowcli.inspection.findings import Findings
    from flowcli.inspection.observation import ObservedUpdate

    Field = Float[NDArray[np.float32], "2 rows columns"]

PANEL = (720, 520)
"""The width and height that a panel fits, in px."""
MOST_ARROWS = 26
"""About how many cells of a row or column have arrows, whichever is longer."""
FEW = 0.01
"""The mean over a smaller share of the cells is left out, as it says nothing."""
MOVES = 0.1
"""Cells: a shorter step has no direction worth comparing."""
CHART = (470, 280)
"""The smallest width and height of the chart, in px."""
DIMMED = 0.35
SKY = (110, 200, 255)
"""The blue of steps, light enough for a dark frame."""


def draw(findings: Findings) -> Iterator[PictureFile]:
    """`steps.png`: arrows at three of the first updates, and how well steps follow each level's proposal."""
    count = findings.iterations
    shown = [update for update in (0, 1, 3) if update < count]
    panels = [
        titled(
            framed(field(findings, findings.observation.updates[update])),
            f"Update {update + 1}",
            agreement(findings, update),
            size=CLEAR,
        )
        for update in shown
    ]
    values = cosines(findings)
    if np.isfinite(values).any():
        panels.append(curves(values, panel_size(findings)))
    grid = findings.observation.grid
    usual = 2 if len(panels) > len(shown) else len(shown)
    sheet = tiled(panels, columns=beside(grid.width, grid.height, usual=usual))
    yield PictureFile("steps.png", [as_figure("steps", sheet, notes=[verdict(values)])])


def curves(cosines: Float[NDArray[np.float64], "levels updates"], panel: tuple[int, int]) -> Image:
    """The chart of the mean cosines, at least as large as a panel."""
    lines = [Line(f"level {level}", row.tolist(), SERIES[level % len(SERIES)]) for level, row in enumerate(cosines)]
    drawn = chart(lines, iterations=cosines.shape[1], size=(max(panel[0], CHART[0]), max(panel[1], CHART[1])))
    note = f"mean over the cells that move, if at least {100 * FEW:.0f} % do"
    return titled(drawn, "Cosine between step and proposal", note, size=CLEAR)


def panel_size(findings: Findings) -> tuple[int, int]:
    """The width and height of a panel in px."""
    grid = findings.observation.grid
    factor = min(PANEL[0] / grid.width, PANEL[1] / grid.height)
    return max(1, round(grid.width * factor)), max(1, round(grid.height * factor))


def verdict(cosines: Float[NDArray[np.float64], "levels updates"]) -> str:
    """Which level the first steps follow most, as a sentence."""
    if np.isnan(cosines[:, 0]).all():
        return "Too few cells move in update 1 for a comparison of directions."
    level = int(np.nanargmax(cosines[:, 0]))
    return f"The steps of update 1 follow level {level} most, with a mean cosine of {cosines[level, 0]:.2f}."


def field(findings: Findings, update: ObservedUpdate) -> Image:
    """The dimmed first frame with arrows of level 0's proposal and of the step, both at the scale of the frame."""
    grid = findings.observation.grid
    size = panel_size(findings)
    factor = size[0] / grid.width
    image = np.asarray(cv2.resize(findings.subject.first, size, interpolation=cv2.INTER_AREA) * DIMMED, np.uint8)
    rows, columns = grid.visible
    every = max(1, round(max(rows.stop - rows.start, columns.stop - columns.start) / MOST_ARROWS))
    unit = 8 * factor
    for y in range(rows.start + every // 2, rows.stop, every):
        for x in range(columns.start + every // 2, columns.stop, every):
            left, top = grid.to_frame((x, y))
            place = ((left + 0.5) * factor, (top + 0.5) * factor)
            for vector, colour in ((update.proposals[0, :, y, x], ORANGE), (update.delta[:, y, x], SKY)):
                if np.isfinite(vector).all() and np.linalg.norm(vector) >= MOVES:
                    arrow(image, place, (place[0] + vector[0] * unit, place[1] + vector[1] * unit), colour, weight=1)
    return image


def agreement(findings: Findings, update: int) -> str:
    """How many cells move, as text."""
    observed = findings.observation.updates[update]
    moving = np.linalg.norm(observed.delta, axis=0)[findings.observation.grid.visible] >= MOVES
    return f"{100 * moving.mean():.0f} % of the cells move by {MOVES} cells or more"


def cosines(findings: Findings) -> Float[NDArray[np.float64], "levels updates"]:
    """The mean cosine between step and proposal by level and update, over the cells where both have a direction."""
    visible = findings.observation.grid.visible
    return np.array(
        [
            [
                mean_cosine(update.delta[:, *visible], update.proposals[level][:, *visible])
                for update in findings.observation.updates
            ]
            for level in range(findings.observation.config.correlation_levels)
        ]
    )


def mean_cosine(step: Field, proposal: Field) -> float:
    """The mean cosine over the cells where the step moves and the proposal points elsewhere; NaN if they are few."""
    lengths = np.linalg.norm(step, axis=0) * np.linalg.norm(proposal, axis=0)
    usable: Bool[NDArray[np.bool_], "rows columns"] = (np.linalg.norm(step, axis=0) >= MOVES) & (lengths > 0)
    if usable.mean() < FEW:
        return float("nan")
    return float(((step * proposal).sum(axis=0)[usable] / lengths[usable]).mean())
