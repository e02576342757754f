"""Draws the lookup at every update: the responses around the correspondence, the values read, and the update."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.inspection.canvas import (
    BLUE,
    MUTED,
    ORANGE,
    arrow,
    blank,
    column,
    decimal,
    enlarged,
    framed,
    heat,
    line,
    mark_cell,
    row,
    vector,
    write,
)
from flowcli.inspection.figures import as_figure
from flowcli.inspection.picture import PictureFile, place_of
from flowcli.inspection.reading import zoom

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flowcli.inspection.canvas import Image
    from flowcli.inspection.findings import Findings
    from flowcli.inspection.reading import Lookup, Reading
    from flowcli.inspection.story import Story

PANEL = 170
THUMB = 92
PROPOSAL = (200, 105, 0)
"""The orange of arrows, dark enough for text."""

Range = tuple[float, float]


def draw(findings: Findings) -> Iterator[PictureFile]:
    """For every pixel `lookup.png`, a table of all updates, and `lookup.gif`, one update at a time."""
    for reading, story in zip(findings.readings, findings.stories, strict=True):
        place = place_of(reading.pixel)
        ranges = [reading.lookup_range(level) for level in range(len(reading.responses))]
        yield PictureFile(f"{place}/lookup.png", [table(reading, story, ranges)])
        frames = [moment(reading, story, ranges, update) for update in range(len(reading.lookups))]
        yield PictureFile(f"{place}/lookup.gif", frames, seconds=0.8)


def moment(reading: Reading, story: Story, ranges: Sequence[Range], update: int) -> Image:
    """One update: for every level the raw responses above the values read."""
    panels = []
    for level, lookup in enumerate(reading.lookups[update]):
        unit = max(1, PANEL // len(lookup.window))
        raw = around(reading, lookup, ranges[level], unit)
        grid = resampled(lookup, ranges[level], unit)
        pointed(grid, lookup, reading.deltas[update], unit)
        x, y = lookup.center
        captions = [
            line(f"level {level}", bold=True),
            line(f"row {decimal(y)}, column {decimal(x)}", size=12, colour=MUTED),
            framed(raw),
            framed(grid),
            line(f"proposal {offset(lookup)}", size=12, colour=PROPOSAL),
        ]
        panels.append(column(captions, gap=3))
    about = f"pixel ({reading.pixel.x}, {reading.pixel.y}), update {update + 1} of {len(reading.lookups)}"
    return as_figure("lookup", row(panels, gap=14), about=about, notes=[story.updates[update]], margin=14)


def around(reading: Reading, lookup: Lookup, span: Range, unit: int) -> Image:
    """The raw responses under the window, in squares of `unit` px; the window can start between cells."""
    raw, (left, top) = zoom(reading.responses[lookup.level], lookup.center, lookup.radius)
    image = enlarged(heat(raw, low=span[0], high=span[1]), unit)
    x, y = lookup.center
    right, down = round((x - lookup.radius - left) * unit), round((y - lookup.radius - top) * unit)
    side = len(lookup.window) * unit
    image = np.ascontiguousarray(image[down : down + side, right : right + side])
    middle_cell(image, lookup, unit)
    return image


def resampled(lookup: Lookup, span: Range, unit: int) -> Image:
    """The values that RAFT reads, one for every offset, in squares of `unit` px; grey outside the map."""
    values = np.where(lookup.beyond, np.float32(np.nan), lookup.window)
    image = enlarged(heat(values, low=span[0], high=span[1]), unit)
    middle_cell(image, lookup, unit)
    return image


def middle_cell(image: Image, lookup: Lookup, unit: int) -> None:
    """Marks the correspondence, in the middle of the window."""
    mark_cell(image, (lookup.radius, lookup.radius), unit)


def pointed(image: Image, lookup: Lookup, delta: np.ndarray, unit: int) -> None:
    """Draws arrows from the middle: to the strongest response, and the update, in cells of this level."""
    middle = (lookup.radius + 0.5) * unit
    if lookup.strongest is not None:
        dx, dy = lookup.strongest
        arrow(image, (middle, middle), (middle + dx * unit, middle + dy * unit), ORANGE)
    u, v = delta / 2**lookup.level * unit
    arrow(image, (middle, middle), (middle + u, middle + v), BLUE)


def offset(lookup: Lookup) -> str:
    """The offset of the strongest response, as text."""
    if lookup.strongest is None:
        return "none"
    dx, dy = lookup.strongest
    return f"({dx:+d}, {dy:+d})"


def table(reading: Reading, story: Story, ranges: Sequence[Range]) -> Image:
    """A row for each update: pictures of every level, then numbers."""
    rows = []
    for update, lookups in enumerate(reading.lookups):
        cells = [pictured(reading, lookup, ranges[lookup.level], reading.deltas[update]) for lookup in lookups]
        rows.append(row([number_cell(update + 1), *cells, figures(reading, update)], gap=14))
    side = THUMB // len(reading.lookups[0][0].window) * len(reading.lookups[0][0].window)
    width = 2 * side + 4
    head = [blank(20, 24), *(line(f"level {level}", bold=True, width=width) for level in range(len(ranges)))]
    head = [strip[:, :width] for strip in head[:1]] + [strip[:20, :width] for strip in head[1:]]
    heading = row([*head, line("proposal of each level, and the step")], gap=14)
    notes = [
        "Offsets are (right, down), in cells of their level; the correspondence is in (row, column) of level 0.",
        story.steps["update"],
    ]
    about = f"pixel ({reading.pixel.x}, {reading.pixel.y})"
    return as_figure("lookup", column([heading, *rows], gap=8), about=about, notes=notes)


def pictured(reading: Reading, lookup: Lookup, span: Range, delta: np.ndarray) -> Image:
    """Thumbnails of a level's raw and resampled window, the latter with proposal and step."""
    unit = max(1, THUMB // len(lookup.window))
    grid = resampled(lookup, span, unit)
    pointed(grid, lookup, delta, unit)
    return row([around(reading, lookup, span, unit), grid], gap=4)


def number_cell(number: int) -> Image:
    """The cell of the table with the number of an update."""
    cell = blank(THUMB, 24)
    write(cell, str(number), (0, THUMB // 2 + 6), size=15, bold=True)
    return cell


def figures(reading: Reading, update: int) -> Image:
    """The cell of the table with the numbers of an update."""
    x, y = reading.trajectory[update]
    proposals = "   ".join(f"L{lookup.level} {offset(lookup)}" for lookup in reading.lookups[update])
    return column(
        [
            line(f"looked at ({decimal(y)}, {decimal(x)})", size=14),
            line(f"proposed   {proposals}", size=14, colour=PROPOSAL),
            line(f"moved by {vector(reading.deltas[update])}", size=14, colour=BLUE),
            line(f"flow {vector(reading.flow[update])} px", size=14, bold=True),
        ],
        gap=0,
    )
