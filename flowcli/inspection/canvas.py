"""Drawing functions for the pictures of an inspection: text, layout, colour maps and marks. Images are RGB."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jaxtyping import Float, UInt8
    from numpy.typing import NDArray

    Image = UInt8[NDArray[np.uint8], "height width 3"]
    Map = Float[NDArray[np.float32], "rows columns"]
    Colour = tuple[int, int, int]

PAPER = 255
INK = (34, 38, 46)
MUTED = (112, 118, 130)
RED = (235, 40, 50)
ORANGE = (255, 150, 20)
BLUE = (30, 110, 220)
OUTLINE = (20, 20, 20)
OUTSIDE = (226, 228, 232)
SERIES = (BLUE, (214, 84, 20), (32, 140, 80), (140, 70, 190), (200, 40, 110), (20, 140, 160))
"""Colours of lines and pixels."""

NARROWEST = 520
"""The minimum width in px that a title and its notes have."""
CLEAR = 17
"""The size of a panel's title that can still be read where a picture of 1500 px is shown on a slide."""
ROOMY = 14
"""The side in px from which a cell has room for outlined marks."""

_SHADES = np.arange(0, 255, 2, dtype=np.uint8)[None]
VIRIDIS = cv2.cvtColor(cv2.applyColorMap(_SHADES, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)[0]
"""128 shades, which leave a GIF's palette room for other colours, so that it needs no dithering."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_POINTS = 32
"""The height in px of OpenCV's text at scale 1."""
_SHIFT = 4
"""Fractional bits of the coordinates that OpenCV draws at."""


def decimal(value: float, digits: int = 2, *, sign: bool = False) -> str:
    """A number with a fixed number of decimals, without -0."""
    return f"{round(float(value), digits) + 0.0:{'+' * sign}.{digits}f}"


def vector(values: Iterable[float], digits: int = 2) -> str:
    """A vector as (u, v), with signs and a fixed number of decimals."""
    return f"({', '.join(decimal(value, digits, sign=True) for value in values)})"


def text_width(text: str, *, size: int = 13, bold: bool = False) -> int:
    """The width of a line of text, in px."""
    (width, _), _ = cv2.getTextSize(text, _FONT, size / _POINTS, 2 if bold else 1)
    return int(width)


def write(
    image: Image,
    text: str,
    place: tuple[float, float],
    *,
    size: int = 13,
    colour: Colour = INK,
    bold: bool = False,
    halo: bool = False,
) -> None:
    """Writes a line of text on an image, its baseline starting at `place` (x, y), with an optional dark `halo`."""
    origin = (round(place[0]), round(place[1]))
    weight = 2 if bold else 1
    if halo:
        ring = [(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1) if (x, y) != (0, 0)]
        for x, y in ring:
            there = (origin[0] + x, origin[1] + y)
            cv2.putText(image, text, there, _FONT, size / _POINTS, (0, 0, 0), weight, cv2.LINE_AA)
    cv2.putText(image, text, origin, _FONT, size / _POINTS, colour, weight, cv2.LINE_AA)


def blank(height: int, width: int) -> Image:
    """A white image."""
    return np.full((max(height, 1), max(width, 1), 3), PAPER, np.uint8)


def line(text: str, *, size: int = 13, colour: Colour = INK, bold: bool = False, width: int = 0) -> Image:
    """A white strip with a line of text, at least `width` px wide."""
    strip = blank(round(size * 1.6), max(width, text_width(text, size=size, bold=bold) + 4))
    write(strip, text, (0, round(size * 1.2)), size=size, colour=colour, bold=bold)
    return strip


@lru_cache(maxsize=64)
def wrapped(text: str, width: int, *, size: int = 13, bold: bool = False) -> tuple[str, ...]:
    """The text in lines of at most `width` px, broken between words."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width(longer, size=size, bold=bold) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return tuple(lines)


def titled(image: Image, title: str, note: str = "", *, size: int = 13) -> Image:
    """An image below a bold title and a muted note."""
    lines = [line(title, size=size, bold=True)]
    if note:
        lines.append(line(note, size=size - 1, colour=MUTED))
    return column([*lines, blank(3, 1), image], gap=0)


def row(images: Sequence[Image], *, gap: int = 12) -> Image:
    """Images from left to right, their tops aligned."""
    widths = [image.shape[1] for image in images]
    sheet = blank(max(image.shape[0] for image in images), sum(widths) + gap * (len(images) - 1))
    left = 0
    for image, width in zip(images, widths, strict=True):
        sheet[: image.shape[0], left : left + width] = image
        left += width + gap
    return sheet


def column(images: Sequence[Image], *, gap: int = 12) -> Image:
    """Images from top to bottom, their left sides aligned."""
    heights = [image.shape[0] for image in images]
    sheet = blank(sum(heights) + gap * (len(images) - 1), max(image.shape[1] for image in images))
    top = 0
    for image, height in zip(images, heights, strict=True):
        sheet[top : top + height, : image.shape[1]] = image
        top += height + gap
    return sheet


def beside(width: int, height: int, *, usual: int) -> int:
    """How many panels with frames of this size stand side by side: `usual`, or twice as many upright ones."""
    return usual * 2 if height > width else usual


def tiled(images: Sequence[Image], *, columns: int, gap: int = 12) -> Image:
    """Images in rows of `columns` images."""
    rows = [images[start : start + columns] for start in range(0, len(images), columns)]
    return column([row(some, gap=gap) for some in rows], gap=gap)


def page(image: Image, title: str, notes: Sequence[str] = (), *, margin: int = 18) -> Image:
    """A finished picture: an image with margins, below a title and notes that are wrapped to its width."""
    width = max(image.shape[1], NARROWEST)
    head = [line(part, size=20, bold=True) for part in wrapped(title, width, size=20, bold=True)]
    head += [line(part, size=15, colour=MUTED) for note in notes for part in wrapped(note, width, size=15)]
    body = column([column(head, gap=1), image], gap=10)
    return np.pad(body, ((margin - 6, margin), (margin, margin), (0, 0)), constant_values=PAPER)


def heat(values: Map, *, low: float, high: float) -> Image:
    """Values as viridis colours, from dark blue for `low` to yellow for `high`; NaN is light grey."""
    spread = high - low
    share = np.clip((values - low) / spread, 0, 1) if spread > 0 else np.zeros_like(values)
    missing = np.isnan(values)
    shades = np.rint((len(VIRIDIS) - 1) * np.where(missing, 0, share)).astype(np.uint8)
    image = np.asarray(VIRIDIS[shades], np.uint8)
    image[missing] = OUTSIDE
    return image


def heat_of(values: Map) -> Image:
    """Values as colours, scaled from their minimum to their maximum."""
    return heat(values, low=float(np.nanmin(values)), high=float(np.nanmax(values)))


def spread(values: Map) -> Image:
    """Values as colours from their 1st to their 99th percentile, as outliers would leave the others one colour."""
    low, high = np.quantile(values, (0.01, 0.99))
    return heat(values, low=float(low), high=float(high))


def enlarged(image: Image, factor: int) -> Image:
    """The image with every pixel as a square of `factor` px."""
    return np.asarray(image.repeat(factor, axis=0).repeat(factor, axis=1), np.uint8)


def fitted(image: Image, width: int, height: int, *, smooth: bool = True) -> Image:
    """The image scaled to fit a box, its aspect ratio kept."""
    factor = min(width / image.shape[1], height / image.shape[0])
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    smoothly = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=smoothly if smooth else cv2.INTER_NEAREST), np.uint8)


def framed(image: Image, colour: Colour = (200, 203, 209)) -> Image:
    """The image with a border of 1 px."""
    return np.asarray(cv2.copyMakeBorder(image, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=colour), np.uint8)


def rectangle(
    image: Image,
    corner: tuple[float, float],
    opposite: tuple[float, float],
    colour: Colour,
    *,
    weight: int = 2,
    outlined: bool = True,
) -> None:
    """Draws a rectangle between two points (x, y); a pixel's left and upper edges have whole coordinates."""
    first, second = (_fixed(x - 0.5, y - 0.5) for x, y in (corner, opposite))
    for thickness, shade in strokes(weight, colour, outlined=outlined):
        cv2.rectangle(image, first, second, shade, thickness, cv2.LINE_AA, _SHIFT)


def mark_cell(image: Image, cell: Sequence[float], side: int) -> None:
    """Draws the red square of one cell at (x, y), which may be fractional, in cells of `side` px."""
    x, y = cell
    small = side < ROOMY / 2
    weight, gap = (1, 2) if small else (2, 0)  # Around a small cell, so that its colour is seen.
    corner, opposite = (x * side - gap, y * side - gap), ((x + 1) * side + gap, (y + 1) * side + gap)
    rectangle(image, corner, opposite, RED, weight=weight, outlined=side >= ROOMY)


def path(
    image: Image, points: Sequence[tuple[float, float]], colour: Colour, *, weight: int = 2, outlined: bool = True
) -> None:
    """Draws a line through points (x, y); a pixel's left and upper edges have whole coordinates."""
    fixed = np.array([_fixed(x - 0.5, y - 0.5) for x, y in points], np.int32)
    for thickness, shade in strokes(weight, colour, outlined=outlined):
        cv2.polylines(
            image, [fixed], isClosed=False, color=shade, thickness=thickness, lineType=cv2.LINE_AA, shift=_SHIFT
        )


def dot(image: Image, point: tuple[float, float], colour: Colour, *, radius: float = 4) -> None:
    """Draws a disc with a white and a dark rim."""
    centre = _fixed(point[0] - 0.5, point[1] - 0.5)
    for grown, shade in ((2.0, (20, 20, 20)), (1.0, (255, 255, 255)), (0.0, colour)):
        cv2.circle(image, centre, round((radius + grown) * (1 << _SHIFT)), shade, -1, cv2.LINE_AA, _SHIFT)


def arrow(
    image: Image, start: tuple[float, float], end: tuple[float, float], colour: Colour, *, weight: int = 2
) -> None:
    """Draws an outlined arrow between two points (x, y), unless it is shorter than 1 px."""
    length = float(np.hypot(end[0] - start[0], end[1] - start[1]))
    if length < 1:
        return
    first, second = (_fixed(x - 0.5, y - 0.5) for x, y in (start, end))
    tip = min(0.4, (5 + 2 * weight) / length)
    for thickness, shade in strokes(weight, colour, outlined=True):
        cv2.arrowedLine(image, first, second, shade, thickness, cv2.LINE_AA, _SHIFT, tip)


def strokes(weight: int, colour: Colour, *, outlined: bool) -> list[tuple[int, Colour]]:
    """The strokes of a line in drawing order, as thickness and colour."""
    return [(weight + 2, OUTLINE), (weight, colour)] if outlined else [(weight, colour)]


def _fixed(x: float, y: float) -> tuple[int, int]:
    # OpenCV's fixed-point coordinates overflow far outside the image.
    return tuple(round(min(max(value, -20000), 20000) * (1 << _SHIFT)) for value in (x, y))  # type: ignore[return-value]
