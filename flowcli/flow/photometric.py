"""Photometric error: the quality of flow without ground truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from jaxtyping import Float, UInt8
    from numpy.typing import NDArray

    from flowcli.flow.estimate import Estimate

    Image = UInt8[NDArray[np.uint8], "height width 3"]


def photometric_error(
    first: Image, second: Image, flow: Float[NDArray[np.float32], "height width 2"]
) -> tuple[float, float]:
    """The mean absolute difference of the frames in grey levels, before and after warping `second` onto `first`.

    Both are means over the pixels whose flow stays inside the frame; NaN if none does.
    """
    height, width = first.shape[:2]
    x, y = cv2.split(flow)
    x = x + np.arange(width, dtype=np.float32)
    y = y + np.arange(height, dtype=np.float32)[:, None]
    inside = ((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)).astype(np.uint8)
    if not inside.any():
        return float("nan"), float("nan")
    warped = cv2.remap(second, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    before, after = (float(np.mean(cv2.mean(cv2.absdiff(first, image), mask=inside)[:3])) for image in (second, warped))
    return before, after


def mean_error(errors: Iterable[tuple[float, float]]) -> tuple[float, float] | None:
    """The means before and after warping over the pairs whose errors are not NaN; None without any."""
    known = [error for error in errors if error[0] == error[0]]
    if not known:
        return None
    before, after = np.mean(known, axis=0)
    return float(before), float(after)


class PhotometricError:
    """Measures the photometric error of every pair; an OutputWriter without a file."""

    def __init__(self) -> None:
        self.errors: list[tuple[float, float]] = []

    def write(self, estimate: Estimate, /) -> None:
        """Adds one pair; a repeated flow is none."""
        if estimate.repeated:
            return
        self.errors.append(photometric_error(estimate.start.image, estimate.end.image, estimate.flow))

    def close(self) -> None:
        """Nothing to complete."""

    def abort(self) -> None:
        """Nothing to remove."""

    def finish_partial(self) -> Path | None:
        """Nothing to keep."""
        return None
