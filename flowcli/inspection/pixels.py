"""Chooses the pixels to inspect: the requested ones, fast ones that are matched well, and the hardest."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from flowcli.errors import UsageError
from flowcli.flow.points import file_of, parse_points
from flowcli.inspection.grid import Cell
from flowcli.inspection.hardest import FLAT, contrast_around, hardest_pixel
from flowcli.inspection.peaks import peak_of
from flowcli.inspection.reading import Pixel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jaxtyping import Float
    from numpy.typing import NDArray

    from flowcli.inspection.inputs import Subject
    from flowcli.inspection.observation import Observation

FAST = 3
"""The number of fast pixels that can be chosen automatically; the next one is the hardest."""
FASTEST = 0.1
"""The share of cells among which fast pixels are chosen."""
NEAR = 1.0
"""How far level 0's peak may lie from the flow's end along either axis, in cells."""
CALM = 1.5
"""How much the flow of the 8 cells around may differ, in cells."""
APART = 50.0
"""The angle between the directions of two fast pixels, in degrees."""
SLOWEST = 0.25
"""How fast the others must be, as a share of the first's speed: where most stands still, so do cells of the tenth."""


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


def choose_pixels(
    observation: Observation, subject: Subject, count: int, *, besides: Sequence[Pixel] = ()
) -> list[Pixel]:
    """The first `count` of: up to three fast pixels that are matched well, and the hardest; no two in one cell.

    None lies in a cell of the pixels in `besides`. See `well_matched` and `hardest_pixel` for the rules; if no cell
    passes that of fast pixels, the fastest takes their place and says so.
    """
    grid = observation.grid
    taken = {grid.cell_at(pixel.x, pixel.y) for pixel in besides}
    if count == 0:
        return []
    free = ((cell, why) for cell, why in well_matched(observation, subject) if cell not in taken)
    chosen = [
        Pixel(*grid.pixel_in(cell), why, "fast") for cell, why in islice(apart(free, observation), min(count, FAST))
    ]
    if not chosen:
        chosen = [
            Pixel(
                *grid.pixel_in(cell),
                "fastest: no fast cell has texture, level 0's peak at the flow's end and calm neighbours",
                "fallback",
            )
            for cell in islice((cell for cell in fastest(observation) if cell not in taken), 1)
        ]
    taken |= {grid.cell_at(pixel.x, pixel.y) for pixel in chosen}
    hardest = hardest_pixel(observation, subject, taken=taken) if count > FAST else None
    return chosen if hardest is None else [*chosen, hardest]


def well_matched(observation: Observation, subject: Subject) -> Iterator[tuple[Cell, str]]:
    """The cells from which a reader learns how RAFT finds a match, the fastest first, and why each is one.

    They are in the fastest tenth and not textureless, the strongest response of level 0 lies within a cell of where the
    flow ends, and the flow of the 8 cells around differs by at most 1.5 cells.
    """
    flow = observation.updates[-1].coarse_flow
    variation = variation_of(flow)
    rows, columns = observation.grid.visible
    visible = (rows.stop - rows.start) * (columns.stop - columns.start)
    for cell in islice(fastest(observation), max(1, round(FASTEST * visible))):
        here = (cell.row, cell.column)
        if variation[here] > CALM or contrast_around(subject.first, *observation.grid.pixel_in(cell)) < FLAT:
            continue
        response = observation.correlation.response(here, 0).float().cpu().numpy()
        peak = peak_of(response, 0, radius=observation.config.lookup_radius)
        distance = peak.distance((cell.column, cell.row) + flow[:, *here])
        if distance <= NEAR:
            yield (
                cell,
                (
                    f"fast and well matched: level 0 peaks {distance:.1f} cells from the flow's end, the "
                    f"neighbours' flow differs by {variation[here]:.1f}"
                ),
            )


def fastest(observation: Observation) -> Iterator[Cell]:
    """The visible cells in order of decreasing speed."""
    rows, columns = observation.grid.visible
    speed = np.linalg.norm(observation.updates[-1].coarse_flow[:, rows, columns], axis=0)
    for number in np.argsort(-speed, axis=None, kind="stable").tolist():
        row, column = divmod(number, speed.shape[1])
        yield Cell(rows.start + row, columns.start + column)


def variation_of(flow: Float[NDArray[np.float32], "2 rows columns"]) -> Float[NDArray[np.float32], "rows columns"]:
    """The largest difference between the flow of a cell and that of the 8 around it, in cells."""
    rows, columns = flow.shape[1:]
    padded = np.pad(flow, ((0, 0), (1, 1), (1, 1)), mode="edge")
    around = [padded[:, y : y + rows, x : x + columns] for y in range(3) for x in range(3)]
    return np.asarray(np.max([np.linalg.norm(other - flow, axis=0) for other in around], axis=0), np.float32)


def apart(cells: Iterator[tuple[Cell, str]], observation: Observation) -> Iterator[tuple[Cell, str]]:
    """Those of `cells`, the fastest first, whose direction is at least 50 degrees from that of all before.

    None is slower than a quarter of the first.
    """
    flow = observation.updates[-1].coarse_flow
    directions: list[complex] = []
    for cell, why in cells:
        u, v = flow[:, cell.row, cell.column]
        direction = complex(u, v)
        if directions and abs(direction) < SLOWEST * abs(directions[0]):
            return
        if all(abs(np.angle(direction * other.conjugate(), deg=True)) >= APART for other in directions):
            directions.append(direction)
            yield cell, why
