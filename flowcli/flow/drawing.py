"""Pictures of flow: pure functions from RGB images to RGB images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from flowcli.flow.colour import ColourScale, colour_flow, colour_speed, is_unknown, magnitude, wheel
from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from jaxtyping import Bool, Float, UInt8
    from numpy.typing import NDArray

    from flowcli.flow.estimate import Estimate

    Image = UInt8[NDArray[np.uint8], "height width 3"]
    Flow = Float[NDArray[np.float32], "height width 2"]
    Mask = Bool[NDArray[np.bool_], "height width"]


_ALL_IS_FAST = 1e-6
_HATCH = (190, 30, 60)
_SHIFT = 4  # OpenCV draws in sixteenths of a pixel


@dataclass(frozen=True)
class Style:
    """How a run draws: its colour scale, whether a legend is shown, and its arrows.

    Arrows are drawn every `arrow_grid` pixels (None depends on the picture's size) where motion is at least `arrow_min`
    pixels.
    """

    scale: ColourScale
    legend: bool = False
    arrow_grid: int | None = None
    arrow_min: float = 0.5

    def finish(self, image: Image) -> Image:
        """Adds the legend, if any, to a picture in the colours of the wheel."""
        return inset(image, legend(legend_size(image), self.scale)) if self.legend else image

    def finish_speed(self, image: Image) -> Image:
        """Adds the legend, if any, to a picture of speed."""
        return inset(image, speed_legend(legend_size(image), self.scale)) if self.legend else image

    def of(self, estimate: Estimate) -> Style:
        """The style of one pair, which may have its own colour scale."""
        return self if estimate.scale is None else replace(self, scale=estimate.scale)


def overlay(image: Image, flow: Flow, *, scale: ColourScale, strength: float = 0.7) -> Image:
    """Flow colours blended onto the flow's start frame, which shows where nothing moves.

    Colours have full `strength` from half the scale on, so that slower motion shows too. Unknown flow shows the frame.
    """
    weight = np.clip(magnitude(flow) * np.float32(2 / scale.max_flow), 0, 1) * np.float32(strength)
    weight[is_unknown(flow)] = 0
    hue = colour_flow(flow, scale=ColourScale(_ALL_IS_FAST))
    return np.asarray(cv2.blendLinear(hue, image, weight, 1 - weight), np.uint8)


def warp(first: Image, second: Image, flow: Flow, *, occluded: Mask | None = None) -> Image:
    """The second frame warped onto the first by `flow`, and blended with it in equal parts.

    The picture is sharp where the flow is right. Pixels that the second frame does not show are hatched: those that
    are `occluded`, and those whose flow is unknown or leads out of the frame.
    """
    height, width = first.shape[:2]
    x, y = cv2.split(flow)
    x = x + np.arange(width, dtype=np.float32)
    y = y + np.arange(height, dtype=np.float32)[:, None]
    hidden = ~((x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5))
    if occluded is not None:
        hidden |= occluded
    x[hidden], y[hidden] = 0, 0
    pulled = cv2.remap(second, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    blend = np.asarray(cv2.addWeighted(first, 0.5, pulled, 0.5, 0), np.uint8)
    return _hatch(first, blend, hidden)


def arrows(image: Image, flow: Flow, *, scale: ColourScale, spacing: int | None = None, shortest: float = 0.5) -> Image:
    """Arrows over the flow's start frame, which is dimmed and grey.

    They start `spacing` pixels apart, at the pixels whose flow they show, and have the colours of the wheel. An
    arrow for motion as fast as the scale, or faster, is two spacings long. Motion below `shortest` pixels and unknown
    motion have none.
    """
    height, width = image.shape[:2]
    spacing = spacing or max(8, round(max(height, width) / 48))
    rows, columns = (np.arange((side - 1) % spacing // 2, side, spacing) for side in (height, width))
    sampled = np.ascontiguousarray(flow[np.ix_(rows, columns)])
    speed = magnitude(sampled)
    shown = (speed >= shortest) & ~is_unknown(sampled)
    length = 2 * spacing * np.minimum(speed / np.float32(scale.max_flow), 1)
    colours = colour_flow(sampled, scale=ColourScale(_ALL_IS_FAST)).tolist()
    canvas = np.asarray(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) // 2, cv2.COLOR_GRAY2RGB), np.uint8)
    weight = max(1, round(spacing / 14))
    for row, column in np.argwhere(shown):
        begin = np.array([columns[column], rows[row]], np.float64)
        end = begin + sampled[row, column] / speed[row, column] * length[row, column]
        cv2.line(canvas, _subpixel(begin), _subpixel(end), colours[row][column], weight, cv2.LINE_AA, _SHIFT)
        _arrow_head(canvas, begin, end, colours[row][column], weight)
    return canvas


def mask(marked: Mask) -> Image:
    """A mask as RGB: white where marked, black elsewhere, as datasets store occlusion."""
    return np.repeat(np.where(marked, np.uint8(255), np.uint8(0))[..., None], 3, axis=2)


def side_by_side(left: Image, right: Image) -> Image:
    """Two images of one height next to each other."""
    return np.hstack([left, right])


def labelled_row(panels: Mapping[str, Image]) -> Image:
    """Images of one height from left to right, each below its name."""
    return np.hstack([np.vstack([_caption(name, image.shape[1]), image]) for name, image in panels.items()])


def _arrow_head(canvas: Image, begin: NDArray[np.float64], end: NDArray[np.float64], colour: Any, weight: int) -> None:
    along = end - begin
    length = float(np.hypot(*along))
    if length < 2:
        return
    size = min(0.45 * length, 3.5 * weight + 2)
    along = along / length
    across = np.array([-along[1], along[0]])
    tip = end + along * size / 2
    corners = np.array(
        [tip, tip - along * size * 1.5 + across * size / 2, tip - along * size * 1.5 - across * size / 2]
    )
    cv2.fillPoly(canvas, [np.array([_subpixel(corner) for corner in corners])], colour, cv2.LINE_AA, _SHIFT)


def _subpixel(point: NDArray[np.float64]) -> list[int]:
    return [round(value * (1 << _SHIFT)) for value in point.tolist()]


def _hatch(first: Image, blend: Image, hidden: Mask) -> Image:
    height, width = hidden.shape
    period = max(6, min(height, width) // 60)
    diagonal = (np.arange(height)[:, None] + np.arange(width)) % period < max(2, period // 4)
    result = blend.copy()
    result[hidden] = first[hidden]
    lines = hidden & diagonal
    result[lines] = first[lines] // 4 + np.array(_HATCH, np.uint8)
    return result


def _caption(text: str, width: int) -> Image:
    strip = np.full((28, width, 3), 255, np.uint8)
    (length, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.55, 1)
    place = ((width - length) // 2, 19)
    cv2.putText(strip, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.55, (40, 40, 40), 1, cv2.LINE_AA)
    return strip


def inset(image: Image, key: Image) -> Image:
    """The image with a legend in its lower right corner."""
    height, width = image.shape[:2]
    key = key[:height, :width]
    result = image.copy()
    result[height - key.shape[0] :, width - key.shape[1] :] = key
    return result


def legend_size(image: Image) -> int:
    """The width of the legend of an image, in pixels."""
    height, width = image.shape[:2]
    return max(24, int(min(height, width)) // 5)


def legend(size: int, scale: ColourScale) -> Image:
    """The colour wheel on black, `size` pixels wide, with the speed at its rim in pixels per pair."""
    radius = size // 2 - max(1, size // 24)
    disc = wheel(radius, scale)
    steps = np.arange(-radius, radius + 1)
    rim = np.clip(radius + 0.5 - np.hypot(*np.meshgrid(steps, steps)), 0, 1)[..., None]
    key = np.zeros((size, size, 3), np.uint8)
    corner = size // 2 - radius
    key[corner : corner + 2 * radius + 1, corner : corner + 2 * radius + 1] = (disc * rim).astype(np.uint8)
    return _labelled(key, f"{scale.max_flow:.3g} px")


def speed_legend(size: int, scale: ColourScale) -> Image:
    """The colours of speed from 0 to the scale's maximum on black, `size` pixels wide."""
    edge = max(1, size // 16)
    ramp = np.zeros((max(4, size // 6), size - 2 * edge, 2), np.float32)
    ramp[..., 0] = np.linspace(0, scale.max_flow, ramp.shape[1])
    key = np.zeros((ramp.shape[0] + edge, size, 3), np.uint8)
    key[edge:, edge : size - edge] = colour_speed(ramp, scale=scale)
    return _labelled(key, f"0-{scale.max_flow:.3g} px")


def swatch(scale: ColourScale) -> Image:
    """All colours of a scale, the same number at every speed, and greys: an image to choose a GIF's palette from."""
    angle = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    speed = np.linspace(0, scale.max_flow, 128)
    flow = np.dstack([np.outer(speed, np.cos(angle)), np.outer(speed, np.sin(angle))]).astype(np.float32)
    greys = np.linspace(0, 255, len(angle)).astype(np.uint8)[None, :, None]
    return np.vstack([colour_flow(flow, scale=scale), np.tile(greys, (6, 1, 3))])


def _labelled(key: Image, text: str) -> Image:
    """A legend on black with white text below it."""
    size = key.shape[1]
    font, weight = cv2.FONT_HERSHEY_SIMPLEX, max(1, size // 110)
    (width, height), _ = cv2.getTextSize(text, font, 1.0, weight)
    factor = min(size / 4.5 / height, 0.9 * size / width) * 0.75
    line = np.zeros((round(height * factor) + max(4, size // 12), size, 3), np.uint8)
    origin = (round((size - width * factor) / 2), line.shape[0] - max(3, size // 14))
    cv2.putText(line, text, origin, font, factor, (255, 255, 255), weight, cv2.LINE_AA)
    return np.vstack([key, line])
