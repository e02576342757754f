"""Draws the response maps of a pixel, and the lookups in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.inspection.canvas import (
    CLEAR,
    ORANGE,
    RED,
    ROOMY,
    beside,
    decimal,
    dot,
    enlarged,
    framed,
    heat_of,
    mark_cell,
    path,
    rectangle,
    tiled,
    titled,
)
from flowcli.inspection.figures import as_figure
from flowcli.inspection.picture import PictureFile, place_of
from flowcli.system.opencv import cv2
from raft_core.images import STRIDE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowcli.inspection.canvas import Image
    from flowcli.inspection.findings import Findings
    from flowcli.inspection.reading import Reading
    from flowcli.inspection.story import Story

PYRAMID_PANEL = (384, 430)
WIDE_PANEL = (720, 430)
"""The width and height that a panel fits, in px: of four side by side, and of two for frames wider than `WIDE`."""
WIDE = 1.5
ANIMATION_PANEL = 768
SEARCH_PANEL = (700, 460)
DIMMED = 0.55


def draw(findings: Findings) -> Iterator[PictureFile]:
    """For every pixel `pyramid.png`, `search.png` over the second frame, and an animation `level_N.gif` per level."""
    for reading, story in zip(findings.readings, findings.stories, strict=True):
        place = place_of(reading.pixel)
        yield PictureFile(f"{place}/pyramid.png", [pyramid(reading, story)])
        yield PictureFile(f"{place}/search.png", [search(reading, story, findings)])
        for level in range(len(reading.responses)):
            frames = [moment(reading, level, update) for update in range(len(reading.trajectory))]
            yield PictureFile(f"{place}/level_{level}.gif", frames)


def pyramid(reading: Reading, story: Story) -> Image:
    """The response maps of all levels at one scale: side by side, or in two rows for wide frames."""
    rows, columns = reading.responses[0].shape
    wide = columns > WIDE * rows
    width, height = WIDE_PANEL if wide else PYRAMID_PANEL
    factor = max(1, min(width // columns, height // rows))
    panels = []
    for level, response in enumerate(reading.responses):
        panel = enlarged(heat_of(response), factor << level)
        mark_cell(panel, reading.trajectory[-1] / 2**level, factor << level)
        rows, columns = response.shape
        note = f"{rows} x {columns} cells, {decimal(response.min())} to {decimal(response.max())}"
        panels.append(titled(panel, f"Level {level}: 1/{STRIDE << level}", note, size=CLEAR))
    sheet = tiled(panels, columns=2 if wide else len(panels))
    return as_figure("pyramid", sheet, about=name(reading), notes=[story.steps["correlate"]])


def search(reading: Reading, story: Story, findings: Findings) -> Image:
    """The second frame overlaid with the response of each level, and the windows of the first lookup and at the end."""
    radius = findings.observation.config.lookup_radius
    panels = []
    for level in range(len(reading.responses)):
        panel, factor = overlaid(reading, findings, level)
        side = (2 * radius + 1) * STRIDE << level
        for update, colour, weight in ((0, (255, 255, 255), 1), (-1, ORANGE, 2)):
            x, y = in_panel(reading, findings, update, level, factor)
            half = side * factor / 2
            rectangle(panel, (x - half, y - half), (x + half, y + half), colour, weight=weight)
        points = [in_panel(reading, findings, update, level, factor) for update in range(len(reading.trajectory))]
        path(panel, points, RED, weight=2)
        dot(panel, points[-1], RED, radius=3)
        note = f"window of {2 * radius + 1} x {2 * radius + 1} cells, {side} x {side} px"
        panels.append(titled(framed(panel), f"Level {level}", note, size=CLEAR))
    frame = findings.observation.grid
    sheet = tiled(panels, columns=beside(frame.width, frame.height, usual=2), gap=16)
    return as_figure("search", sheet, about=name(reading), notes=[story.steps["look_up"]])


def overlaid(reading: Reading, findings: Findings, level: int) -> tuple[Image, float]:
    """The second frame in grey under a level's response, and the number of px of the picture per px of the frame."""
    frame, grid = findings.subject.second, findings.observation.grid
    colours = enlarged(heat_of(reading.responses[level]), STRIDE << level)
    # Pooling drops a last odd row or column, so coarse levels do not cover the whole frame.
    whole = np.zeros((grid.rows * STRIDE, grid.columns * STRIDE, 3), np.uint8)
    whole[: colours.shape[0], : colours.shape[1]] = colours
    covered = grid.crop(whole)
    response = reading.responses[level]
    share = (response - response.min()) / max(float(np.ptp(response)), 1e-12)
    strength = np.zeros(whole.shape[:2], np.float32)
    strength[: colours.shape[0], : colours.shape[1]] = share.repeat(STRIDE << level, 0).repeat(STRIDE << level, 1)
    alpha = 0.85 * grid.crop(strength)[..., None] ** 1.5
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[..., None].repeat(3, axis=2) * DIMMED
    blend = (grey * (1 - alpha) + covered * alpha).astype(np.uint8)
    factor = min(SEARCH_PANEL[0] / grid.width, SEARCH_PANEL[1] / grid.height)
    size = (max(1, round(grid.width * factor)), max(1, round(grid.height * factor)))
    smoothly = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(blend, size, interpolation=smoothly), np.uint8), factor


def in_panel(reading: Reading, findings: Findings, update: int, level: int, factor: float) -> tuple[float, float]:
    """The position (x, y) in the picture of a point of the trajectory at a level."""
    x, y = findings.observation.grid.to_frame(reading.trajectory[update] / 2**level, level=level)
    return (x + 0.5) * factor, (y + 0.5) * factor


def moment(reading: Reading, level: int, update: int) -> Image:
    """The response map at one update, with its window and the trajectory so far."""
    response = reading.responses[level]
    factor = max(1, ANIMATION_PANEL // max(response.shape))
    panel = enlarged(heat_of(response), factor)
    centers = reading.trajectory / 2**level
    radius = reading.lookups[0][level].radius
    x, y = centers[update]
    window = [(x - radius) * factor, (y - radius) * factor, (x + radius + 1) * factor, (y + radius + 1) * factor]
    rectangle(panel, (window[0], window[1]), (window[2], window[3]), (255, 255, 255), weight=1)
    points = [((px + 0.5) * factor, (py + 0.5) * factor) for px, py in centers[: update + 1]]
    path(panel, points, ORANGE, outlined=factor >= ROOMY)
    mark_cell(panel, centers[update], factor)
    last = len(reading.trajectory) - 1
    label = f"update {update + 1} of {last} looks" if update < last else "the last update points"
    note = f"{label} at row {decimal(y)}, column {decimal(x)}"
    return as_figure("level", panel, about=f"level {level}, {name(reading)}", notes=[note], margin=12)


def name(reading: Reading) -> str:
    """The pixel as (x, y)."""
    return f"pixel ({reading.pixel.x}, {reading.pixel.y})"
