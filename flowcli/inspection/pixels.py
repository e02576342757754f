"""Chooses the pixels to inspect: the requested ones, and others by motion and ambiguity."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from flowcli.errors import UsageError
from flowcli.flow.colour import magnitude
from flowcli.flow.points import file_of, parse_points
from flowcli.inspection.grid import Cell
from flowcli.inspection.reading import Pixel

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from flowcli.inspection.grid import Grid
    from flowcli.inspection.observation import Observation

MOST = 4
"""The number of pixels that can be chosen automatically."""
CELLS_TRIED = 2000
"""The maximum number of cells among which the most ambiguous is sought; of more, evenly spaced ones are taken."""


def parse_pixels(texts: Sequence[str], *, height: int, width: int) -> list[Pixel]:
    """The pixels given as `X,Y` or by a file, each once; raises UsageError for an invalid one or one outside the frame.

    The points of a file are rounded to whole pixels.
    """
    pixels = []
    for text in texts:
        if file_of(text):
            points = np.rint(parse_points(text, height=height, width=width)).astype(int)
            pixels += [Pixel(x, y, "requested") for x, y in points.tolist()]
            continue
        match = re.fullmatch(r"\s*(-?\d{1,9})\s*,\s*(-?\d{1,9})\s*", text)
        if match is None:
            raise UsageError(f"--at {text} is not a pixel", hint="write X,Y in whole pixels, such as --at 320,200")
        x, y = int(match[1]), int(match[2])
        if not (0 <= x < width and 0 <= y < height):
            raise UsageError(
                f"--at {text} lies outside the frame of {width} x {height}",
                hint=f"X goes from 0 to {width - 1}, Y from 0 to {height - 1}",
            )
        pixels.append(Pixel(x, y, "requested"))
    return list(dict.fromkeys(pixels))


def choose_pixels(observation: Observation, count: int, *, besides: Sequence[Pixel] = ()) -> list[Pixel]:
    """The first `count` of: largest, median and smallest motion, most ambiguous correlation; no two in one cell.

    None lies in a cell of the pixels in `besides`. A frame with too few cells gives fewer pixels.
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
    """Flat pixel indices as (x, y)."""
    return ((int(number) % grid.width, int(number) // grid.width) for number in order)


def most_ambiguous(observation: Observation) -> list[Cell]:
    """Visible cells in order of increasing `margin`: the most ambiguous first."""
    rows, columns = observation.grid.visible
    cells = [Cell(row, column) for row in range(rows.start, rows.stop) for column in range(columns.start, columns.stop)]
    cells = cells[:: -(-len(cells) // CELLS_TRIED)]
    return sorted(cells, key=lambda cell: margin(observation, cell))


def margin(observation: Observation, cell: Cell) -> float:
    """The difference between a cell's best match and the best one outside a lookup window around it.

    It is in standard deviations of the cell's response at level 0.
    """
    response = observation.correlation.response((cell.row, cell.column), 0).float().cpu().numpy()
    radius = observation.config.lookup_radius
    row, column = np.unravel_index(np.argmax(response), response.shape)
    elsewhere = response.copy()
    elsewhere[max(0, row - radius) : row + radius + 1, max(0, column - radius) : column + radius + 1] = -np.inf
    return float((response[row, column] - elsewhere.max()) / max(float(response.std()), 1e-12))
