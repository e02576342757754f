"""Pictures of flow: pure functions from RGB images to RGB images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flowcli.colour import ColourScale, colour_flow, is_unknown, magnitude, wheel
from flowcli.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Bool, Float, UInt8
    from numpy.typing import NDArray

    Image = UInt8[NDArray[np.uint8], "height width 3"]
    Flow = Float[NDArray[np.float32], "height width 2"]
    Mask = Bool[NDArray[np.bool_], "height width"]


_ALL_IS_FAST = 1e-6
_HATCH = (190, 30, 60)


@dataclass(frozen=True)
class Style:
    """How a run draws: one colour scale for all of it, and whether its key is shown."""

    scale: ColourScale
    legend: bool = False

    def finish(self, image: Image) -> Image:
        """Adds the key to a picture that is drawn in the scale's colours, if it is to be shown."""
        return with_legend(image, self.scale) if self.legend else image


def overlay(image: Image, flow: Flow, *, scale: ColourScale, strength: float = 0.7) -> Image:
    """Flow colours over the frame they start on: the wheel, with the frame in the place of its white.

    Half the scale is enough for full `strength`, so that slower motion shows too. Unknown flow shows the frame.
    """
    weight = np.clip(magnitude(flow) * np.float32(2 / scale.max_flow), 0, 1) * np.float32(strength)
    weight[is_unknown(flow)] = 0
    hue = colour_flow(flow, scale=ColourScale(_ALL_IS_FAST))
    return np.asarray(cv2.blendLinear(hue, image, weight, 1 - weight), np.uint8)


def warp(first: Image, second: Image, flow: Flow, *, occluded: Mask | None = None) -> Image:
    """The second frame pulled back onto the first along `flow`, blended with it half and half.

    Where the flow is right the picture is sharp. Pixels that the second frame does not show are hatched: those that
    are known to be `occluded`, and those whose flow is unknown or leads out of the frame.
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


def side_by_side(left: Image, right: Image) -> Image:
    """Two pictures of one size next to each other."""
    return np.hstack([left, right])


def labelled_row(panels: Mapping[str, Image]) -> Image:
    """Pictures of one height from left to right, each under its name."""
    return np.hstack([np.vstack([_caption(name, image.shape[1]), image]) for name, image in panels.items()])


def with_legend(image: Image, scale: ColourScale) -> Image:
    """The image with the colour wheel in its lower right corner and, below it, what its rim stands for."""
    height, width = image.shape[:2]
    key = legend(max(24, min(height, width) // 5), scale)
    key = key[:height, :width]
    result = image.copy()
    result[height - key.shape[0] :, width - key.shape[1] :] = key
    return result


def legend(size: int, scale: ColourScale) -> Image:
    """The wheel on black, `size` pixels wide, with the speed of its rim in pixels per frame pair."""
    radius = size // 2 - max(1, size // 24)
    disc = wheel(radius)
    steps = np.arange(-radius, radius + 1)
    rim = np.clip(radius + 0.5 - np.hypot(*np.meshgrid(steps, steps)), 0, 1)[..., None]
    text = f"{scale.max_flow:.3g} px"
    font, weight = cv2.FONT_HERSHEY_SIMPLEX, max(1, size // 110)
    (text_width, text_height), _ = cv2.getTextSize(text, font, 1.0, weight)
    factor = min(size / 4.5 / text_height, 0.9 * size / text_width) * 0.75
    line = round(text_height * factor) + max(4, size // 12)
    key = np.zeros((size + line, size, 3), np.uint8)
    corner = size // 2 - radius
    key[corner : corner + 2 * radius + 1, corner : corner + 2 * radius + 1] = (disc * rim).astype(np.uint8)
    origin = (round((size - text_width * factor) / 2), size + line - max(3, size // 14))
    return np.asarray(cv2.putText(key, text, origin, font, factor, (255, 255, 255), weight, cv2.LINE_AA), np.uint8)


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
