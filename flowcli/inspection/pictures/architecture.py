"""Draws the diagram of RAFT, its boxes filled with this pair's tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.inspection.architecture import ARROWS, LOOP, SIZE
from flowcli.inspection.canvas import INK, MUTED, blank, write
from flowcli.inspection.diagram import FILLS, boxes_of, caption
from flowcli.inspection.figures import as_figure
from flowcli.inspection.picture import PictureFile
from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flowcli.inspection.canvas import Image
    from flowcli.inspection.diagram import Box, Text
    from flowcli.inspection.findings import Findings

BORDER = (184, 188, 196)
DASH = 8


def draw(findings: Findings) -> Iterator[PictureFile]:
    """`architecture.png`: every part of the model, with its layers, its output's size, and what it computed."""
    image = blank(SIZE[1], SIZE[0])
    left, top, width, height = LOOP
    dashed(image, left, top, left + width, top + height)
    put(image, caption(findings))
    for points in ARROWS:
        draw_arrow(image, points)
    for box in boxes_of(findings):
        draw_box(image, box)
    notes = [f"The model is {findings.observation.config.name}. Sizes are channels x rows x columns."]
    yield PictureFile("architecture.png", [as_figure("architecture", image, notes=notes)])


def draw_box(image: Image, box: Box) -> None:
    """Draws one part."""
    left, top, width, height = box.place
    image[top : top + height, left : left + width] = FILLS[box.part.step]
    cv2.rectangle(image, (left, top), (left + width - 1, top + height - 1), BORDER, 1)
    for text in box.texts:
        put(image, text)
    for thumb in box.thumbnails:
        high, wide = thumb.image.shape[:2]
        image[thumb.top : thumb.top + high, thumb.left : thumb.left + wide] = thumb.image


def put(image: Image, text: Text) -> None:
    """Writes a line of text."""
    colour = MUTED if text.muted else INK
    write(image, text.text, (text.left, text.base), size=text.size, colour=colour, bold=text.bold)


def draw_arrow(image: Image, points: Sequence[tuple[int, int]]) -> None:
    """Draws a line through points with a tip at the last."""
    cv2.polylines(image, [np.array(points, np.int32)], isClosed=False, color=MUTED, thickness=2, lineType=cv2.LINE_AA)
    before, end = (np.array(point, np.float64) for point in points[-2:])
    along = (end - before) / np.linalg.norm(end - before)
    across = np.array([-along[1], along[0]])
    tip = np.array([end, end - 12 * along + 6 * across, end - 12 * along - 6 * across])
    cv2.fillPoly(image, [np.rint(tip).astype(np.int32)], MUTED, cv2.LINE_AA)


def dashed(image: Image, left: int, top: int, right: int, bottom: int) -> None:
    """Draws a dashed rectangle."""
    for x in range(left, right, 2 * DASH):
        for y in (top, bottom):
            cv2.line(image, (x, y), (min(x + DASH, right), y), MUTED, 1)
    for y in range(top, bottom, 2 * DASH):
        for x in (left, right):
            cv2.line(image, (x, y), (x, min(y + DASH, bottom)), MUTED, 1)
