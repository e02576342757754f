"""The legend of a picture of flow: a small rounded card in its lower right corner."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from flowcli.flow.colour import ColourScale, colour_speed, wheel
from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from jaxtyping import Float, UInt8
    from numpy.typing import NDArray

    Image = UInt8[NDArray[np.uint8], "height width 3"]
    Alpha = Float[NDArray[np.float32], "height width"]

STABILISED = "stabilised"
"""Said below the scale where the motion of the camera is left out, after the option."""
_FINER = 4
"""The card is drawn so many times larger and reduced, which makes small letters readable."""
_OPACITY = 0.8
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_CAP_HEIGHT = 21
"""The height of a capital letter of the font at scale 1, in px."""


@dataclass(frozen=True)
class Layout:
    """The lengths of a legend in px: the `wheel`'s diameter, the height of a capital `letter`, the `margin`."""

    wheel: int
    letter: int
    margin: int

    @classmethod
    def of(cls, image: Image) -> Layout:
        """The layout for a picture: letters are never so small that they cannot be read."""
        side = min(image.shape[:2])
        letter = max(7, round(side / 54))
        return cls(wheel=max(24, side // 9) | 1, letter=letter, margin=max(4, round(0.75 * letter)))


def with_legend(image: Image, scale: ColourScale, *, speed: bool = False, stabilised: bool = False) -> Image:
    """The image with the legend of its scale: the colour wheel, or with `speed` the colours from slow to fast.

    Below it stands the motion in full colour in px and, if the picture is `stabilised`, that the camera's motion is
    left out. An image smaller than the legend shows its upper left part.
    """
    card, alpha = _card(Layout.of(image), scale, speed, stabilised)
    edge = Layout.of(image).margin
    height, width = (min(side, room - edge) for side, room in zip(alpha.shape, image.shape, strict=False))
    if height < 1 or width < 1:
        return image
    result = image.copy()
    corner = result[-edge - height : -edge, -edge - width : -edge]
    weight = np.ascontiguousarray(alpha[:height, :width])
    corner[:] = cv2.blendLinear(np.ascontiguousarray(card[:height, :width]), corner.copy(), weight, 1 - weight)
    return result


@lru_cache(maxsize=8)
def _card(layout: Layout, scale: ColourScale, speed: bool, stabilised: bool) -> tuple[Image, Alpha]:
    """The legend and its opacity."""
    text = f"0-{scale.max_flow:.3g} px" if speed else f"{scale.max_flow:.3g} px"
    lines = [text, *([STABILISED] if stabilised else [])]
    swatch, shape = _ramp(layout, scale) if speed else _disc(layout, scale)
    texts = [_text(line, layout.letter) for line in lines]
    gap = layout.margin
    inner = max(part.shape[1] for part in (shape, *texts))
    height = shape.shape[0] + sum(text.shape[0] + gap for text in texts) + 2 * gap
    ground, ink = (0, 225) if scale.dark else (255, 40)
    card = np.full((height, inner + 2 * gap, 3), ground, np.uint8)
    alpha = _rounded(*card.shape[:2], radius=1.5 * gap) * np.float32(_OPACITY)
    top = gap
    for part, mask in [(swatch, shape), *((np.full((*text.shape, 3), ink, np.uint8), text) for text in texts)]:
        rows, left = mask.shape[0], (card.shape[1] - mask.shape[1]) // 2
        place = np.s_[top : top + rows, left : left + mask.shape[1]]
        card[place] = cv2.blendLinear(part, card[place].copy(), mask, 1 - mask)
        alpha[place] = np.maximum(alpha[place], mask)
        top += rows + gap
    return card, alpha


def _disc(layout: Layout, scale: ColourScale) -> tuple[Image, Alpha]:
    radius = layout.wheel // 2
    steps = np.arange(-radius, radius + 1, dtype=np.float32)
    distance = np.hypot(*np.meshgrid(steps, steps))
    return wheel(radius, scale), np.clip(radius + 0.5 - distance, 0, 1).astype(np.float32)


def _ramp(layout: Layout, scale: ColourScale) -> tuple[Image, Alpha]:
    flow = np.zeros((layout.letter, 2 * layout.wheel, 2), np.float32)
    flow[..., 0] = np.linspace(0, scale.max_flow, flow.shape[1])
    return colour_speed(flow, scale=scale), np.ones(flow.shape[:2], np.float32)


def _text(text: str, letter: int) -> Alpha:
    """A line of text as opacity."""
    factor = _FINER * letter / _CAP_HEIGHT
    weight = max(1, round(_FINER * letter / 9))
    (width, height), below = cv2.getTextSize(text, _FONT, factor, weight)
    room = np.zeros((height + below, width + weight), np.uint8)
    cv2.putText(room, text, (weight // 2, height), _FONT, factor, 255, weight, cv2.LINE_AA)
    rows = np.flatnonzero(room.any(axis=1))
    room = room[rows[0] : rows[-1] + 1]
    size = (round(room.shape[1] / _FINER), max(1, round(room.shape[0] / _FINER)))
    return np.asarray(cv2.resize(room, size, interpolation=cv2.INTER_AREA) / 255, np.float32)


def _rounded(height: int, width: int, *, radius: float) -> Alpha:
    """The opacity of a rectangle with round corners."""
    x, y = (np.abs(np.arange(side) - (side - 1) / 2) - (side / 2 - radius) for side in (width, height))
    distance = np.hypot(np.maximum(x, 0), np.maximum(y, 0)[:, None])
    return np.asarray(np.clip(radius + 0.5 - distance, 0, 1), np.float32)
