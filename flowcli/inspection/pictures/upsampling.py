"""Draws the upsampling of flow from the 1/8 grid to every pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.flow.colour import colour_flow
from flowcli.inspection.canvas import (
    CLEAR,
    MUTED,
    OUTSIDE,
    RED,
    column,
    decimal,
    enlarged,
    fitted,
    framed,
    heat,
    line,
    mark_cell,
    rectangle,
    row,
    text_width,
    tiled,
    titled,
    vector,
    write,
)
from flowcli.inspection.figures import as_figure
from flowcli.inspection.maps import upsampling_difference
from flowcli.inspection.picture import PictureFile
from flowcli.system.opencv import cv2
from raft_core.images import STRIDE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Float
    from numpy.typing import NDArray

    from flowcli.flow.colour import ColourScale
    from flowcli.inspection.canvas import Image
    from flowcli.inspection.findings import Findings
    from flowcli.inspection.grid import Grid
    from flowcli.inspection.reading import Reading

PANEL = (560, 420)
SMALL_PANEL = (350, 420)
"""The width and height that a panel fits, in px: of two side by side, and of four."""
UNIT = 56


def draw(findings: Findings) -> Iterator[PictureFile]:
    """`upsampling.png`: the coarse and the upsampled flow, where upsampling matters, and the weights of pixels."""
    observation = findings.observation
    learned = observation.config.upsampling == "convex"
    blocks = [tiled(panels(findings, learned=learned), columns=4)]
    if findings.edge is not None:
        blocks.append(magnified(findings.edge, findings))
    weights = [
        weight_panel(f"pixel ({r.pixel.x}, {r.pixel.y})", r.weights, r.around, r.flow[-1], findings.scale)
        for r in findings.readings
    ]
    if weights:
        beyond = "; outside the grid (grey) the flow counts as 0" * learned
        title = "Learned weights of the 3 x 3 cells" if learned else "Bilinear weights of the 3 x 3 cells"
        note = f"over the flow of each cell; they sum to 1{beyond}"
        blocks.append(titled(tiled(weights, columns=6, gap=24), title, note, size=CLEAR))
    notes = [findings.story["upsample"]]
    yield PictureFile("upsampling.png", [as_figure("upsampling", column(blocks, gap=18), notes=notes)])


def panels(findings: Findings, *, learned: bool) -> list[Image]:
    """Coarse flow and upsampled flow, and with learned weights also bilinear flow and the difference."""
    observation, scale = findings.observation, findings.scale
    coarse = 8 * observation.updates[-1].coarse_flow.transpose(1, 2, 0)
    squares = observation.grid.crop(enlarged(colour_flow(np.ascontiguousarray(coarse), scale=scale), STRIDE))
    fine = colour_flow(observation.flow, scale=scale)
    shown = [
        (squares, "Flow on the 1/8 grid", "a square is a cell"),
        (fine, "Flow at every pixel", "convex" if learned else "bilinear"),
    ]
    difference = upsampling_difference(observation)
    if difference is not None:
        most = max(float(np.quantile(difference, 0.99)), 1e-6)
        bilinear = colour_flow(observation.bilinear_flow, scale=scale)
        shown.append((bilinear, "Flow at every pixel", "bilinear, for comparison"))
        note = f"0 to {most:.2f} px and more, {difference.mean():.2f} on average"
        shown.append((heat(difference, low=0, high=most), "Difference of the two", note))
    size = PANEL if difference is None else SMALL_PANEL
    return [titled(framed(fitted(image, *size)), title, note, size=CLEAR) for image, title, note in shown]


def magnified(edge: Reading, findings: Findings) -> Image:
    """The 3×3 cells around the pixel where convex and bilinear flow differ most, pixel by pixel, and both weights."""
    observation, truth = findings.observation, findings.subject.ground_truth
    flows = [("convex", observation.flow), ("bilinear", observation.bilinear_flow)]
    if truth is not None:
        flows.append(("ground truth", truth.with_nan))
    images = [("first frame", findings.subject.first)]
    images += [(name, colour_flow(np.ascontiguousarray(flow), scale=findings.scale)) for name, flow in flows]
    cuts = [(name, cut_out(image, edge, observation.grid)) for name, image in images]
    blocks = [column([line(name, bold=True), framed(cut)], gap=3) for name, cut in cuts]
    for name, weights, flow in (
        ("learned weights", edge.weights, edge.flow[-1]),
        ("bilinear weights", edge.bilinear_weights, edge.bilinear),
    ):
        blocks.append(weight_panel(name, weights, edge.around, flow, findings.scale))
    title = f"Where convex and bilinear flow differ most: the cells around pixel ({edge.pixel.x}, {edge.pixel.y})"
    return titled(row(blocks, gap=24), title, "24 x 24 px; red: the pixel, and its cell among the weights", size=CLEAR)


def cut_out(image: Image, reading: Reading, grid: Grid) -> Image:
    """The 3×3 cells around a pixel of an image of the frame, enlarged, and the pixel; grey outside the frame."""
    side = 3 * STRIDE
    left = STRIDE * (reading.cell.column - 1) - grid.padding.left
    top = STRIDE * (reading.cell.row - 1) - grid.padding.top
    bordered = np.asarray(
        cv2.copyMakeBorder(image, side, side, side, side, cv2.BORDER_CONSTANT, value=OUTSIDE), np.uint8
    )
    factor = 3 * UNIT // side
    part = enlarged(bordered[top + side : top + 2 * side, left + side : left + 2 * side], factor)
    mark_cell(part, (reading.pixel.x - left, reading.pixel.y - top), factor)
    return part


def weight_panel(
    name: str,
    weights: Float[NDArray[np.float32], "3 3"],
    around: Float[NDArray[np.float32], "3 3 2"],
    flow: Float[NDArray[np.float32], " 2"],
    scale: ColourScale,
) -> Image:
    """The 3×3 cells around a pixel in the colours of their flow, with their weights; grey outside the grid."""
    colours = colour_flow(around, scale=scale)
    colours[np.isnan(around).any(axis=2)] = (200, 203, 209)
    panel = enlarged(colours, UNIT)
    for y in range(3):
        for x in range(3):
            text = decimal(weights[y, x])
            place = (x * UNIT + (UNIT - text_width(text, size=15, bold=True)) / 2, y * UNIT + UNIT / 2 + 5)
            write(panel, text, place, size=15, colour=(255, 255, 255), bold=True, halo=True)
    rectangle(panel, (UNIT, UNIT), (2 * UNIT, 2 * UNIT), RED)
    return column([line(name, bold=True), framed(panel), line(f"= {vector(flow)} px", colour=MUTED)], gap=3)
