"""Draws the validation curve of a training run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jaxtyping import UInt8
    from numpy.typing import NDArray

_SIZE = (420, 760)
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 190, 34, 44
_COLOURS = ((31, 119, 180), (214, 96, 20), (44, 140, 60), (140, 86, 175), (190, 40, 50), (120, 120, 30))
_INK, _GRID = (50, 50, 50), (225, 225, 225)
_LABEL_HEIGHT = 17


def draw_curve(points: Sequence[tuple[int, Mapping[str, float]]]) -> UInt8[NDArray[np.uint8], "height width 3"]:
    """A picture (RGB) of every group's endpoint error over the steps, on a logarithmic scale.

    `points` are (step, error in px by group), the mean under `mean`. Raises ValueError where there are none.
    """
    if not points:
        raise ValueError("nothing has been validated yet")
    image = np.full((*_SIZE, 3), 255, np.uint8)
    errors = [value for _, epe in points for value in epe.values() if math.isfinite(value) and value > 0]
    low, high = _octaves(errors)
    last_step = max(points[-1][0], 1)

    def place(step: int, error: float) -> tuple[int, int]:
        fraction = (math.log2(error) - low) / (high - low)
        column = _LEFT + (_SIZE[1] - _LEFT - _RIGHT) * step / last_step
        return round(column), round(_SIZE[0] - _BOTTOM - (_SIZE[0] - _TOP - _BOTTOM) * fraction)

    _text(image, "validation: mean endpoint error in px over steps", (_LEFT, 20))
    for exponent in range(low, high + 1):
        start, end = place(0, 2.0**exponent), place(last_step, 2.0**exponent)
        cv2.line(image, start, end, _GRID, 1)
        _text(image, f"{2.0**exponent:g}", (8, start[1] + 5))
    for step in (0, last_step):
        _text(image, f"{step:,}", (place(step, 2.0**low)[0] - 10, _SIZE[0] - 20))
    labels = []
    for number, group in enumerate(points[-1][1]):
        known = [(step, epe[group]) for step, epe in points if epe.get(group, 0) > 0 and math.isfinite(epe[group])]
        if not known:
            continue
        colour = _INK if group == "mean" else _COLOURS[number % len(_COLOURS)]
        line = np.array([place(*point) for point in known], np.int32)
        cv2.polylines(
            image, [line], isClosed=False, color=colour, thickness=1 + (group == "mean"), lineType=cv2.LINE_AA
        )
        for dot in line:
            cv2.circle(image, (int(dot[0]), int(dot[1])), 2, colour, -1, cv2.LINE_AA)
        labels.append((int(line[-1][1]), f"{group} {known[-1][1]:.2f}", colour))
    _name(image, labels)
    return image


def _octaves(errors: Sequence[float]) -> tuple[int, int]:
    """The exponents of 2 between which all errors lie, at least 1 apart."""
    if not errors:
        return 0, 1
    low = math.floor(math.log2(min(errors)))
    return low, max(math.ceil(math.log2(max(errors))), low + 1)


def _name(image: NDArray[np.uint8], labels: list[tuple[int, str, tuple[int, int, int]]]) -> None:
    """Writes each curve's name and last value beside its end, moved down where two would overlap."""
    row = 0
    for height, text, colour in sorted(labels):
        row = max(height + 4, row + _LABEL_HEIGHT)
        _text(image, text, (_SIZE[1] - _RIGHT + 8, row), colour)


def _text(image: NDArray[np.uint8], text: str, origin: tuple[int, int], colour: tuple[int, int, int] = _INK) -> None:
    cv2.putText(image, text, origin, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)
