"""Keys to pictures of flow: what their colours stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.colour import ColourScale, colour_flow, colour_speed, wheel
from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from jaxtyping import UInt8
    from numpy.typing import NDArray

    Image = UInt8[NDArray[np.uint8], "height width 3"]


def inset(image: Image, key: Image) -> Image:
    """The image with a key in its lower right corner."""
    height, width = image.shape[:2]
    key = key[:height, :width]
    result = image.copy()
    result[height - key.shape[0] :, width - key.shape[1] :] = key
    return result


def legend_size(image: Image) -> int:
    """How wide the key to an image is."""
    height, width = image.shape[:2]
    return max(24, int(min(height, width)) // 5)


def legend(size: int, scale: ColourScale) -> Image:
    """The wheel on black, `size` pixels wide, with the speed of its rim in pixels per frame pair."""
    radius = size // 2 - max(1, size // 24)
    disc = wheel(radius, scale)
    steps = np.arange(-radius, radius + 1)
    rim = np.clip(radius + 0.5 - np.hypot(*np.meshgrid(steps, steps)), 0, 1)[..., None]
    key = np.zeros((size, size, 3), np.uint8)
    corner = size // 2 - radius
    key[corner : corner + 2 * radius + 1, corner : corner + 2 * radius + 1] = (disc * rim).astype(np.uint8)
    return _labelled(key, f"{scale.max_flow:.3g} px")


def speed_legend(size: int, scale: ColourScale) -> Image:
    """The colours of speed from 0 to the scale on black, `size` pixels wide."""
    edge = max(1, size // 16)
    ramp = np.zeros((max(4, size // 6), size - 2 * edge, 2), np.float32)
    ramp[..., 0] = np.linspace(0, scale.max_flow, ramp.shape[1])
    key = np.zeros((ramp.shape[0] + edge, size, 3), np.uint8)
    key[edge:, edge : size - edge] = colour_speed(ramp, scale=scale)
    return _labelled(key, f"0-{scale.max_flow:.3g} px")


def swatch(scale: ColourScale) -> Image:
    """All colours of a scale, of every speed as many, and greys: pale ones are as common here as in flow."""
    angle = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    speed = np.linspace(0, scale.max_flow, 128)
    flow = np.dstack([np.outer(speed, np.cos(angle)), np.outer(speed, np.sin(angle))]).astype(np.float32)
    greys = np.linspace(0, 255, len(angle)).astype(np.uint8)[None, :, None]
    return np.vstack([colour_flow(flow, scale=scale), np.tile(greys, (6, 1, 3))])


def _labelled(key: Image, text: str) -> Image:
    """A key on black with white text below it."""
    size = key.shape[1]
    font, weight = cv2.FONT_HERSHEY_SIMPLEX, max(1, size // 110)
    (width, height), _ = cv2.getTextSize(text, font, 1.0, weight)
    factor = min(size / 4.5 / height, 0.9 * size / width) * 0.75
    line = np.zeros((round(height * factor) + max(4, size // 12), size, 3), np.uint8)
    origin = (round((size - width * factor) / 2), line.shape[0] - max(3, size // 14))
    cv2.putText(line, text, origin, font, factor, (255, 255, 255), weight, cv2.LINE_AA)
    return np.vstack([key, line])
