"""Which pixels are looked at: those that are asked for, and those that stand out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from flowcli.errors import UsageError
from flowcli.flow.colour import magnitude
from flowcli.inspection.grid import Cell
from flowcli.inspection.reading import Pixel

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from flowcli.inspection.grid import Grid
    from flowcli.inspection.observation import Observation

MOST = 4
"""How many pixels can be chosen by themselves."""
CELLS_TRIED = 2000
"""Of how many cells the most ambiguous is chosen; of more, they are spread evenly."""


def parse_pixels(texts: Sequence[str], *, height: int, width: int) -> list[Pixel]:
    """Pixels given as `X,Y`; raises UsageError for one outside the frame."""
    pixels = []
    for text in texts:
        match = re.fullmatch(r"\s*(-?\d{1,9})\s*,\s*(-?\d{1,9})\s*", text)
        if match is None:
            raise UsageError(f"--at {text} is no pixel", hint="write X,Y in whole pixels, such as --at 320,200")
        x, y = int(match[1]), int(match[2])
        if not (0 <= x < width and 0 <= y < height):
            raise UsageError(
                f"--at {text} lies outside the frame of {width} x {height}",
                hint=f"X goes from 0 to {width - 1}, Y from 0 to {height - 1}",
            )
        pixels.append(Pixel(x, y, "asked for"))
    return list(dict.fromkeys(pixels))


def choose_pixels(observation: Observation, count: int, *, besides: Sequence[Pixel] = ()) -> list[Pixel]:
    """The first `count` of: largest, median and smallest motion, most ambiguous correlation; each in a cell of its own.

    A frame of fewer cells gives fewer pixels.
    """
    grid = observation.grid
    taken = {grid.cell_at(pixel.x, pixel.y) for pixel in besides}
    speed = magnitude(observation.flow).ravel()
    fastest = np.argsort(-speed, kind="stable")
    typical = np.argsort(np.abs(speed - np.median(speed)), kind="stable")
    orders: list[tuple[str, Iterable[tuple[int, int]]]] = [
        ("largest motion", in_frame(fastest, grid)),
        ("median motion", in_frame(typical, grid)),
        ("smallest motion", in_frame(fastest[::-1], grid)),
        ("most ambiguous correlation", (grid.pixel_in(cell) for cell in most_ambiguous(observation))),
    ]
    chosen = []
    for why, order in orders[:count]:
        found = next(((x, y) for x, y in order if grid.cell_at(x, y) not in taken), None)
        if found is not None:
            taken.add(grid.cell_at(*found))
            chosen.append(Pixel(*found, why))
    return chosen


def in_frame(order: NDArray[np.intp], grid: Grid) -> Iterable[tuple[int, int]]:
    """Numbers of pixels as (x, y)."""
    return ((int(number) % grid.width, int(number) // grid.width) for number in order)


def most_ambiguous(observation: Observation) -> list[Cell]:
    """Cells by how little their best match stands out from the next best elsewhere, the least first.

    Elsewhere is beyond the window that a lookup at the best match would cover; what stands out is measured in standard
    deviations of the cell's response at full resolution.
    """
    rows, columns = observation.grid.visible
    cells = [Cell(row, column) for row in range(rows.start, rows.stop) for column in range(columns.start, columns.stop)]
    cells = cells[:: -(-len(cells) // CELLS_TRIED)]
    return sorted(cells, key=lambda cell: lead(observation, cell))


def lead(observation: Observation, cell: Cell) -> float:
    """How far a cell's best match lies above the best one outside its neighbourhood."""
    response = observation.correlation.response((cell.row, cell.column), 0).float().cpu().numpy()
    radius = observation.config.lookup_radius
    row, column = np.unravel_index(np.argmax(response), response.shape)
    elsewhere = response.copy()
    elsewhere[max(0, row - radius) : row + radius + 1, max(0, column - radius) : column + radius + 1] = -np.inf
    return float((response[row, column] - elsewhere.max()) / max(float(response.std()), 1e-12))
