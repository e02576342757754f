"""A picture of the errors of flow: frame, ground truth, estimate and error side by side."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from flowcli.flow.colour import ColourScale, colour_flow, magnitude
from flowcli.flow.drawing import labelled_row
from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, UInt8
    from numpy.typing import NDArray

    Image = UInt8[NDArray[np.uint8], "height width 3"]
    Flow = Float[NDArray[np.float32], "height width 2"]
    Mask = Bool[NDArray[np.bool_], "height width"]

# Errors are drawn on a logarithmic scale between these, in pixels.
LEAST, MOST = 0.125, 32.0
NO_GROUND_TRUTH = 128


def error_picture(frame: Image, ground_truth: Flow, estimate: Flow, valid: Mask) -> Image:
    """The frame, both flows in one colour scale, and the error from dark (1/8 px) to bright (32 px).

    Pixels without ground truth are black in the true flow and grey in the error.
    """
    known = np.where(valid[..., np.newaxis], ground_truth, np.float32(np.nan))
    scale = ColourScale.covering([magnitude(known)])
    error = magnitude(estimate - ground_truth)
    mean = float(error[valid].mean()) if valid.any() else math.nan
    row = labelled_row(
        {
            "first frame": frame,
            f"true flow, to {scale.max_flow:.3g} px": colour_flow(known, scale=scale),
            "estimated flow": colour_flow(estimate, scale=scale),
            f"error, mean {mean:.2f} px": colour_error(error, valid),
        }
    )
    width = frame.shape[1]
    return np.vstack([row, np.hstack([np.full((28, row.shape[1] - width, 3), 255, np.uint8), key(width)])])


def colour_error(error: Float[NDArray[np.float32], "height width"], valid: Mask) -> Image:
    """Errors in pixels as RGB, brighter with every doubling from 1/8 px to 32 px; grey where not `valid`."""
    doublings = np.log2(np.clip(error, LEAST, MOST) / LEAST) / math.log2(MOST / LEAST)
    # NaN counts as the largest error.
    image = _brightness(np.nan_to_num(doublings, nan=1.0))
    image[~valid] = NO_GROUND_TRUTH
    return image


def key(width: int) -> Image:
    """The legend of errors: 28 rows, with the colours above their errors in pixels."""
    strip = np.full((28, width, 3), 255, np.uint8)
    strip[:10] = _brightness(np.linspace(0, 1, width, dtype=np.float32)[np.newaxis].repeat(10, axis=0))
    texts = ("1/8", "1/2", "2", "8", "32")
    for number, text in enumerate(texts):
        (length, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 1)
        left = round((width - 1) * number / (len(texts) - 1) - length / 2)
        place = (min(max(left, 2), width - length - 2), 23)
        cv2.putText(strip, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (40, 40, 40), 1, cv2.LINE_AA)
    return strip


def _brightness(fraction: Float[NDArray[np.float32], "height width"]) -> Image:
    levels = np.rint(255 * fraction).astype(np.uint8)
    return np.asarray(cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB), np.uint8)
