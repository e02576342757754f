"""Pictures of flow: pure functions from RGB images to RGB images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from flowcli.flow.colour import MOVING, ColourScale, colour_flow, is_unknown, magnitude
from flowcli.flow.legend import with_legend
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

CAPTION = 28
"""The height of the strip with a picture's name in a labelled row, in pixels."""

_ALL_IS_FAST = 1e-6
_LEAVING = (190, 30, 60)
_NOT_CONFIRMED = (30, 90, 190)
_LEAST_LIGHT = 0.3
_SHIFT = 4  # OpenCV draws in sixteenths of a pixel


@dataclass(frozen=True)
class Style:
    """How a run draws: its colour scale, whether a legend is shown, and its arrows.

    With `stabilise`, the motion of the camera is left out.

    Arrows are drawn every `arrow_grid` pixels (None depends on the picture's size) where motion is at least `arrow_min`
    pixels.
    """

    scale: ColourScale
    legend: bool = False
    stabilise: bool = False
    arrow_grid: int | None = None
    arrow_min: float = 0.5

    def finish(self, image: Image, *, speed: bool = False) -> Image:
        """Adds the legend, if any, to a picture in the colours of the wheel or, with `speed`, in those of speed."""
        if not self.legend:
            return image
        return with_legend(image, self.scale, speed=speed, stabilised=self.stabilise)

    def of(self, estimate: Estimate) -> Style:
        """The style of one pair, which may have its own colour scale."""
        return self if estimate.scale is None else replace(self, scale=estimate.scale)


def overlay(image: Image, flow: Flow, *, scale: ColourScale, strength: float = 0.7) -> Image:
    """The flow's start frame, tinted with flow colours where it moves.

    The frame's light and shade remain. Tints begin at half a pixel, below which flow is noise, and have full `strength`
    from half the scale on, so that slower motion shows too. Unknown flow shows the frame.
    """
    full = max(2 * MOVING, scale.max_flow / 2)
    fraction = np.clip((magnitude(flow) - np.float32(MOVING)) / np.float32(full - MOVING), 0, 1)
    weight = fraction ** np.float32(1 / scale.gamma) * np.float32(strength)
    weight[is_unknown(flow)] = 0
    hue = colour_flow(flow, scale=replace(scale, max_flow=_ALL_IS_FAST, dark=False))
    light = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    light = cv2.convertScaleAbs(light, alpha=1 - _LEAST_LIGHT, beta=255 * _LEAST_LIGHT)
    return np.asarray(cv2.blendLinear(cv2.multiply(hue, light, scale=1 / 255), image, weight, 1 - weight), np.uint8)


def warp(first: Image, second: Image, flow: Flow, *, occluded: Mask | None = None) -> Image:
    """The second frame warped onto the first by `flow`, and blended with it in equal parts.

    The picture is sharp where the flow is right. Where flow is unknown or leads out of the frame, the first frame is
    shown with red hatching. Other `occluded` pixels, whose flow the backward flow does not confirm, are hatched in
    blue, the other way.
    """
    out = leaving(flow)
    x, y = _ends(flow)
    x[out], y[out] = 0, 0
    pulled = cv2.remap(second, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    blend = np.asarray(cv2.addWeighted(first, 0.5, pulled, 0.5, 0), np.uint8)
    blend[out] = first[out]
    row, column = np.ogrid[: out.shape[0], : out.shape[1]]
    period = max(6, min(out.shape) // 60)
    _hatch(blend, out & ((row + column) % period < max(2, period // 4)), _LEAVING)
    if occluded is not None:
        _hatch(blend, occluded & ~out & ((row - column) % period < max(1, period // 6)), _NOT_CONFIRMED)
    return blend


def leaving(flow: Flow) -> Mask:
    """Where flow leads out of the frame, or is unknown."""
    height, width = flow.shape[:2]
    x, y = _ends(flow)
    return np.asarray(~((x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)), np.bool_)


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
    shown = (speed >= shortest) & (speed > 0) & ~is_unknown(sampled)
    length = 2 * spacing * np.minimum(speed / np.float32(scale.max_flow), 1)
    colours = colour_flow(sampled, scale=replace(scale, max_flow=_ALL_IS_FAST, dark=False)).tolist()
    canvas = np.asarray(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) // 2, cv2.COLOR_GRAY2RGB), np.uint8)
    weight = max(1, round(spacing / 14))
    for row, column in np.argwhere(shown):
        begin = np.array([columns[column], rows[row]], np.float64)
        end = begin + sampled[row, column] / speed[row, column] * length[row, column]
        cv2.line(canvas, _subpixel(begin), _subpixel(end), colours[row][column], weight, cv2.LINE_AA, _SHIFT)
        _arrow_head(canvas, begin, end, colours[row][column], weight)
    return canvas


def occlusion(occluded: Mask, flow: Flow) -> Image:
    """White where the flow is `occluded`, but grey where it leaves the frame; black elsewhere."""
    levels = np.where(occluded, np.where(leaving(flow), np.uint8(128), np.uint8(255)), np.uint8(0))
    return np.repeat(levels[..., None], 3, axis=2)


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


def _ends(flow: Flow) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where flow leads from each pixel: x and y."""
    columns, rows = (np.arange(side, dtype=np.float32) for side in flow.shape[1::-1])
    return flow[..., 0] + columns, flow[..., 1] + rows[:, None]


def _hatch(image: Image, lines: Mask, colour: tuple[int, int, int]) -> None:
    image[lines] = image[lines] // 4 + np.array(colour, np.uint8)


def _caption(text: str, width: int) -> Image:
    strip = np.full((CAPTION, width, 3), 255, np.uint8)
    (length, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.55, 1)
    place = ((width - length) // 2, 19)
    cv2.putText(strip, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.55, (40, 40, 40), 1, cv2.LINE_AA)
    return strip


def swatch(scale: ColourScale) -> Image:
    """All colours of a scale, the same number at every speed, and greys: an image to choose a GIF's palette from."""
    angle = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    speed = np.linspace(0, scale.max_flow, 128)
    flow = np.dstack([np.outer(speed, np.cos(angle)), np.outer(speed, np.sin(angle))]).astype(np.float32)
    greys = np.linspace(0, 255, len(angle)).astype(np.uint8)[None, :, None]
    return np.vstack([colour_flow(flow, scale=scale), np.tile(greys, (6, 1, 3))])
