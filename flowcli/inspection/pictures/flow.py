"""The flow, with the pixels that are looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.colour import ColourScale, colour_flow, wheel
from flowcli.inspection.canvas import (
    SERIES,
    arrow,
    column,
    dot,
    fitted,
    framed,
    line,
    page,
    row,
    text_width,
    titled,
    write,
)
from flowcli.inspection.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowcli.inspection.canvas import Image
    from flowcli.inspection.findings import Findings
    from flowcli.inspection.reading import Reading

WIDE = 1.6
"""Frames wider than this are stacked, others stand side by side."""
RADIUS = 44


def draw(findings: Findings) -> Iterator[Picture]:
    """`flow.png`: the first frame with every pixel's motion, the flow with its (u, v), and the colours' key."""
    subject = findings.subject
    height, width = subject.first.shape[:2]
    wide = width > WIDE * height
    box = (1000, 620) if wide else (640, 560)
    colours = colour_flow(findings.observation.flow, scale=findings.scale)
    frame = titled(
        framed(marked(subject.first, findings, box, moving=True)), "First frame", "arrows lead to the second"
    )
    flow = titled(framed(marked(colours, findings, box, moving=False)), "Flow to the second frame", "(u, v) in px")
    panels = column([frame, flow]) if wide else row([frame, flow], gap=18)
    below = row([key(findings.scale), legend(findings)], gap=28)
    yield Picture("flow.png", [page(column([panels, below], gap=16), "Flow and the pixels that are looked at")])


def marked(image: Image, findings: Findings, box: tuple[int, int], *, moving: bool) -> Image:
    """An image in a box, with numbered pixels: an arrow along the flow, or else the flow in figures beside each."""
    result = fitted(image, *box)
    factor = result.shape[1] / image.shape[1]
    taken: list[tuple[float, float, float, float]] = []
    for number, reading in enumerate(findings.readings):
        colour = SERIES[number % len(SERIES)]
        x, y = ((value + 0.5) * factor for value in (reading.pixel.x, reading.pixel.y))
        u, v = reading.flow[-1]
        if moving:
            arrow(result, (x, y), (x + u * factor, y + v * factor), colour)
        dot(result, (x, y), colour)
        text = str(number + 1) if moving else f"{number + 1}: {components(reading)}"
        place = free_place((x, y), text_width(text, size=15, bold=True), result, taken)
        write(result, text, place, size=15, colour=(255, 255, 255), bold=True, halo=True)
    return result


def free_place(
    point: tuple[float, float], width: int, image: Image, taken: list[tuple[float, float, float, float]]
) -> tuple[float, float]:
    """Where a label of so many pixels beside a point stays in the image and, if it can be, off others; it is taken."""
    x, y = point
    candidates = [(x + 10, y + 5), (x - 10 - width, y + 5), (x - width / 2, y - 12), (x - width / 2, y + 24)]
    candidates += [(left, y + shift) for shift in (-14, 24, -32, 42) for left in (x + 10, x - 10 - width)]
    boxes = [(left, base - 16, left + width, base + 5) for left, base in candidates]
    height, total = image.shape[:2]
    inside = [b for b in boxes if b[0] >= 2 and b[1] >= 2 and b[2] <= total - 2 and b[3] <= height - 2] or boxes[:1]
    free = [b for b in inside if not any(overlap(b, other) for other in taken)] or inside
    taken.append(free[0])
    return free[0][0], free[0][1] + 16


def overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    """Whether two boxes (left, top, right, bottom) share a point."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def components(reading: Reading) -> str:
    """The flow of a pixel as (u, v)."""
    u, v = reading.flow[-1]
    return f"({u:+.1f}, {v:+.1f})"


def key(scale: ColourScale) -> Image:
    """The wheel, and what its rim stands for."""
    colours = wheel(RADIUS)
    steps = np.arange(-RADIUS, RADIUS + 1)
    rim = np.clip(RADIUS + 0.5 - np.hypot(*np.meshgrid(steps, steps)), 0, 1)[..., None]
    disc = (colours * rim + 255 * (1 - rim)).astype(np.uint8)
    return row([disc, column([line("colour is direction,"), line(f"full at {scale.max_flow:.3g} px")], gap=0)], gap=10)


def legend(findings: Findings) -> Image:
    """One line for each pixel: where it is, why it was chosen, its flow, and the true one if that is known."""
    truth = findings.subject.truth
    lines = []
    for number, reading in enumerate(findings.readings):
        pixel, colour = reading.pixel, SERIES[number % len(SERIES)]
        text = f"{number + 1}: x {pixel.x}, y {pixel.y}, {pixel.why}: flow {components(reading)} px"
        if truth is not None and truth.valid[pixel.y, pixel.x]:
            u, v = truth.flow[pixel.y, pixel.x]
            text += f", in truth ({u:+.1f}, {v:+.1f})"
        lines.append(line(text, size=14, colour=colour, bold=True))
    return column(lines or [line("no pixel was chosen")], gap=2)
