"""Draws the flow and the inspected pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.flow.colour import ColourScale, colour_flow, wheel
from flowcli.inspection.canvas import (
    CLEAR,
    SERIES,
    arrow,
    column,
    dot,
    fitted,
    framed,
    line,
    row,
    text_width,
    titled,
    vector,
    write,
)
from flowcli.inspection.figures import as_figure
from flowcli.inspection.picture import PictureFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowcli.inspection.canvas import Colour, Image
    from flowcli.inspection.findings import Findings

    Box = tuple[float, float, float, float]
    """Left, top, right, bottom."""

BOX = (700, 560)
"""The width and height that a frame fits, in px."""
RADIUS = 44
LONGEST = 60
"""The maximum length of an arrow that is drawn longer than the flow, in px of the picture."""
ALONG = np.linspace(0, 1, 20)
"""Points along an arrow, as fractions of its length, that labels must not cover."""


def draw(findings: Findings) -> Iterator[PictureFile]:
    """`flow.png`: the first frame with the motion of every inspected pixel, the flow with (u, v), and a colour key."""
    subject = findings.subject
    height, width = subject.first.shape[:2]
    stretch = stretch_of(findings, min(BOX[0] / width, BOX[1] / height))
    colours = colour_flow(findings.observation.flow, scale=findings.scale)
    frame = titled(
        framed(marked(subject.first, findings, BOX, stretch=stretch)),
        "First frame",
        "arrows are the flow" + f", drawn {stretch} times as long" * (stretch > 1),
        size=CLEAR,
    )
    labelled = framed(marked(colours, findings, BOX, stretch=None))
    flow = titled(labelled, "Flow to the second frame", "(u, v) in px", size=CLEAR)
    panels = row([frame, flow], gap=18)
    below = row([key(findings.scale), legend(findings)], gap=28)
    yield PictureFile("flow.png", [as_figure("flow", column([panels, below], gap=16))])


def marked(image: Image, findings: Findings, box: tuple[int, int], *, stretch: int | None) -> Image:
    """An image scaled to a box, with numbered pixels: with arrows `stretch` times the flow, or if None, with (u, v)."""
    result = fitted(image, *box)
    factor = result.shape[1] / image.shape[1]
    points = [((r.pixel.x + 0.5) * factor, (r.pixel.y + 0.5) * factor) for r in findings.readings]
    taken: list[Box] = [(x - 7, y - 7, x + 7, y + 7) for x, y in points]
    for number, (reading, (x, y)) in enumerate(zip(findings.readings, points, strict=True)):
        if stretch is not None:
            u, v = reading.flow[-1] * factor * stretch
            arrow(result, (x, y), (x + u, y + v), colour_of(number))
            taken += [(x + u * part - 4, y + v * part - 4, x + u * part + 4, y + v * part + 4) for part in ALONG]
    for number, point in enumerate(points):
        dot(result, point, colour_of(number))
    for number, (reading, point) in enumerate(zip(findings.readings, points, strict=True)):
        text = str(number + 1) if stretch is not None else f"{number + 1}: {vector(reading.flow[-1], 1)}"
        place = free_place(point, text_width(text, size=15, bold=True), result, taken)
        write(result, text, place, size=15, colour=(255, 255, 255), bold=True, halo=True)
    return result


def stretch_of(findings: Findings, scale: float) -> int:
    """The factor by which arrows are longer than the flow; `scale` is px of the picture per px of the frame."""
    longest = max((float(np.hypot(*reading.flow[-1])) for reading in findings.readings), default=0) * scale
    return next((stretch for stretch in (10, 5, 2) if longest * stretch <= LONGEST), 1)


def free_place(point: tuple[float, float], width: int, image: Image, taken: list[Box]) -> tuple[float, float]:
    """The place (x, y) of a label of `width` px near a point, within the image and if possible off the boxes `taken`.

    Adds the box of the label to `taken`.
    """
    x, y = point
    candidates = [(x + 10, y + 5), (x - 10 - width, y + 5), (x - width / 2, y - 12), (x - width / 2, y + 24)]
    candidates += [(left, y + shift) for shift in (-14, 24, -32, 42) for left in (x + 10, x - 10 - width)]
    boxes = [(left, base - 13, left + width, base + 3) for left, base in candidates]
    height, total = image.shape[:2]
    inside = [b for b in boxes if b[0] >= 2 and b[1] >= 2 and b[2] <= total - 2 and b[3] <= height - 2] or boxes[:1]
    free = [b for b in inside if not any(overlap(b, other) for other in taken)] or inside
    taken.append(free[0])
    return free[0][0], free[0][1] + 13


def overlap(one: Box, other: Box) -> bool:
    """Whether two boxes (left, top, right, bottom) overlap."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def colour_of(number: int) -> Colour:
    """The colour of the inspected pixel with a number."""
    return SERIES[number % len(SERIES)]


def key(scale: ColourScale) -> Image:
    """The colour wheel, and the speed of its rim."""
    colours = wheel(RADIUS)
    steps = np.arange(-RADIUS, RADIUS + 1)
    rim = np.clip(RADIUS + 0.5 - np.hypot(*np.meshgrid(steps, steps)), 0, 1)[..., None]
    disc = (colours * rim + 255 * (1 - rim)).astype(np.uint8)
    words = [line(text, size=15) for text in ("colour is direction,", f"full at {scale.max_flow:.3g} px")]
    return row([disc, column(words, gap=0)], gap=10)


def legend(findings: Findings) -> Image:
    """Two lines per pixel: its position, its flow, and its ground truth if known; and why it was chosen."""
    lines = []
    for number, reading in enumerate(findings.readings):
        pixel = reading.pixel
        truth = findings.truth_at(pixel)
        text = f"{number + 1}: x {pixel.x}, y {pixel.y}: flow {vector(reading.flow[-1], 1)} px"
        if truth is not None:
            text += f", ground truth {vector(truth, 1)}"
        lines += [line(text, size=15, colour=colour_of(number), bold=True), line(f"    {pixel.why}", size=14)]
    return column(lines or [line("no pixel was chosen")], gap=2)
