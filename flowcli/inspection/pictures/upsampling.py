"""Draws the upsampling of flow from the 1/8 grid to every pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.flow.colour import colour_flow
from flowcli.inspection.canvas import (
    MUTED,
    RED,
    column,
    decimal,
    enlarged,
    fitted,
    framed,
    heat,
    line,
    rectangle,
    text_width,
    tiled,
    titled,
    vector,
    write,
)
from flowcli.inspection.figures import as_figure
from flowcli.inspection.maps import upsampling_difference
from flowcli.inspection.picture import PictureFile
from raft_core.images import STRIDE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowcli.inspection.canvas import Image
    from flowcli.inspection.findings import Findings
    from flowcli.inspection.reading import Reading

PANEL = (560, 420)
UNIT = 54


def draw(findings: Findings) -> Iterator[PictureFile]:
    """`upsampling.png`: the coarse and the upsampled flow, and the weights of every inspected pixel."""
    observation = findings.observation
    learned = observation.config.upsampling == "convex"
    blocks = panels(findings, learned=learned)
    weights = [weight_panel(reading, findings) for reading in findings.readings]
    if weights:
        beyond = "; outside the grid (grey) the flow counts as 0" * learned
        title = "Learned weights of the 3 x 3 cells" if learned else "Bilinear weights of the 3 x 3 cells"
        blocks.append(
            titled(tiled(weights, columns=5, gap=24), title, f"over the flow of each cell; they sum to 1{beyond}")
        )
    notes = [findings.story["upsample"]]
    yield PictureFile("upsampling.png", [as_figure("upsampling", column(blocks, gap=18), notes=notes)])


def panels(findings: Findings, *, learned: bool) -> list[Image]:
    """Coarse flow and upsampled flow, and with learned weights also bilinear flow and the difference."""
    observation, scale = findings.observation, findings.scale
    coarse = 8 * observation.updates[-1].coarse_flow.transpose(1, 2, 0)
    squares = observation.grid.crop(enlarged(colour_flow(np.ascontiguousarray(coarse), scale=scale), STRIDE))
    shown = [titled(framed(fitted(squares, *PANEL, smooth=False)), "Flow on the 1/8 grid", "a square is a cell")]
    fine = colour_flow(observation.flow, scale=scale)
    shown.append(titled(framed(fitted(fine, *PANEL)), "Flow at every pixel", "convex" if learned else "bilinear"))
    difference = upsampling_difference(observation)
    if difference is not None:
        bilinear = fitted(colour_flow(observation.bilinear_flow, scale=scale), *PANEL)
        shown.append(titled(framed(bilinear), "Flow at every pixel", "bilinear, for comparison"))
        colours = heat(difference, low=0, high=max(float(difference.max()), 1e-6))
        note = f"0 to {difference.max():.2f} px, {difference.mean():.3f} on average"
        shown.append(titled(framed(fitted(colours, *PANEL)), "Length of the difference", note))
    return [tiled(shown, columns=2)]


def weight_panel(reading: Reading, findings: Findings) -> Image:
    """The 3×3 cells around a pixel in the colours of their flow, with their weights; grey outside the grid."""
    colours = colour_flow(reading.around, scale=findings.scale)
    colours[np.isnan(reading.around).any(axis=2)] = (200, 203, 209)
    panel = enlarged(colours, UNIT)
    for y in range(3):
        for x in range(3):
            text = decimal(reading.weights[y, x])
            place = (x * UNIT + (UNIT - text_width(text, size=14, bold=True)) / 2, y * UNIT + UNIT / 2 + 5)
            write(panel, text, place, size=14, colour=(255, 255, 255), bold=True, halo=True)
    rectangle(panel, (UNIT, UNIT), (2 * UNIT, 2 * UNIT), RED)
    return column(
        [
            line(f"pixel ({reading.pixel.x}, {reading.pixel.y})", bold=True),
            framed(panel),
            line(f"= {vector(reading.flow[-1])} px", size=12, colour=MUTED),
        ],
        gap=3,
    )
