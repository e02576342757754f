"""Draws line charts over the updates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flowcli.inspection.canvas import MUTED, blank, text_width, write
from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flowcli.inspection.canvas import Colour, Image

SIZE = (470, 260)
"""Width and height of a chart in px, unless another is given."""
LEFT, RIGHT, TOP, BOTTOM = 56, 104, 14, 42
TEXT = 15
GRID = (226, 228, 232)
TICKS = 5


@dataclass(frozen=True)
class Line:
    """A named, coloured line with one value per update, from update `start`; `thin` draws no dots."""

    name: str
    values: Sequence[float]
    colour: Colour
    start: int = 1
    thin: bool = False


def chart(lines: Sequence[Line], *, iterations: int, floor: float | None = None, size: tuple[int, int] = SIZE) -> Image:
    """A chart of lines over updates, of a width and height in px.

    Its axis starts at `floor`, or else at the minimum of the values.
    """
    width, height = size
    image = blank(height, width)
    values = [value for line in lines for value in line.values if math.isfinite(value)] or [0.0]
    ticks = nice_ticks(min(values) if floor is None else floor, max(values))
    low, high = ticks[0], ticks[-1]
    left = max([LEFT, *(12 + text_width(f"{tick:.6g}", size=TEXT) for tick in ticks)])
    right, bottom = width - RIGHT, height - BOTTOM
    first = min(line.start for line in lines)

    def x_of(update: float) -> float:
        share = (update - first) / max(1, iterations - first)
        return left + share * (right - left)

    def y_of(value: float) -> float:
        return bottom - (value - low) / (high - low) * (bottom - TOP)

    for tick in ticks:
        y = round(y_of(tick))
        cv2.line(image, (left, y), (right, y), GRID, 1)
        label = f"{tick:.6g}"
        write(image, label, (left - 8 - text_width(label, size=TEXT), y + 5), size=TEXT, colour=MUTED)
    step = max(1, -(-(iterations - first) // 8))
    for update in range(first, iterations + 1, step):
        label = str(update)
        write(image, label, (x_of(update) - text_width(label, size=TEXT) / 2, bottom + 20), size=TEXT, colour=MUTED)
    caption = "update"
    middle = (left + right - text_width(caption, size=TEXT)) / 2
    write(image, caption, (middle, height - 5), size=TEXT, colour=MUTED)
    for line in lines:
        draw_line(image, line, x_of, y_of)
    name_lines(image, lines, y_of, (right, bottom))
    return image


def draw_line(image: Image, line: Line, x_of: Callable[[float], float], y_of: Callable[[float], float]) -> None:
    """Draws one line with a dot at every finite value."""
    points = [
        (round(16 * x_of(line.start + number)), round(16 * y_of(value)))
        for number, value in enumerate(line.values)
        if math.isfinite(value)
    ]
    weight = 1 if line.thin else 2
    corners = np.array(points, np.int32).reshape(-1, 2)
    cv2.polylines(image, [corners], isClosed=False, color=line.colour, thickness=weight, lineType=cv2.LINE_AA, shift=4)
    if not line.thin:
        for point in points:
            cv2.circle(image, point, 40, line.colour, -1, cv2.LINE_AA, 4)


def name_lines(image: Image, lines: Sequence[Line], y_of: Callable[[float], float], corner: tuple[int, int]) -> None:
    """Writes each line's name at its end, moved so that names do not overlap; the plot's lower right is at `corner`."""
    right, bottom = corner
    finite = [(line, [value for value in line.values if math.isfinite(value)]) for line in lines if line.name]
    ends = sorted(((y_of(values[-1]), line) for line, values in finite if values), key=lambda end: end[0])
    places = [y for y, _ in ends]
    for number in range(1, len(places)):
        places[number] = max(places[number], places[number - 1] + TEXT + 2)
    overflow = max(0.0, places[-1] - bottom) if places else 0.0
    for y, (_, line) in zip(places, ends, strict=True):
        write(image, line.name, (right + 8, y - overflow + 5), size=TEXT, colour=line.colour)


def nice_ticks(low: float, high: float) -> list[float]:
    """About five round values, the first at most `low` and the last at least `high`."""
    if high - low < 1e-9 * max(1.0, abs(high)):
        high = low + max(1e-3, 0.1 * abs(low))
    rough = (high - low) / (TICKS - 1)
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * unit for factor in (1, 2, 2.5, 5, 10) if factor * unit >= rough * 0.999)
    start, end = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(start, max(end, start + 1) + 1)]
