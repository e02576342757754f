"""The motion of the camera, found in the flow of one pair."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from flowcli.flow.colour import is_unknown
from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from numpy.typing import NDArray

    Flow = Float[NDArray[np.float32], "height width 2"]
    Points = Float[NDArray[np.float32], "points 2"]

_POINTS = 4000
"""About so many pixels, on a grid, take part in the fit."""
_TOLERANCE = 1 / 2000
"""The distance up to which flow agrees with a camera, over the frame's longer side; at least half a pixel."""
_FEWEST = 12
_LEAST_AGREEING = 0.1
_LARGEST_ZOOM = 1.5
"""Between two frames, no camera magnifies one corner so much more than another."""


def camera_motion(flow: Flow, valid: Bool[NDArray[np.bool_], "height width"] | None = None) -> Flow:
    """The flow that the camera alone causes, at every pixel, in px: that of `camera_homography`."""
    height, width = flow.shape[:2]
    return motion_at(camera_homography(flow, valid), np.arange(width), np.arange(height))


def camera_homography(
    flow: Flow, valid: Bool[NDArray[np.bool_], "height width"] | None = None
) -> Float[NDArray[np.float64], "3 3"]:
    """The homography that maps the pixels (x, y) of a frame to where the camera's motion leads them.

    A homography describes a camera that turns or zooms, and any camera before a plane. It is the one that most pixels
    agree with (RANSAC), so that things which move by themselves do not count. Where that is none that a camera could
    make, it is an affine motion; no motion where fewer than a tenth of the pixels agree, or too few are known. Pixels
    that are unknown or not `valid` take no part.
    """
    return _homography(*_matches(flow, valid), *flow.shape[:2])


def motion_at(
    homography: Float[NDArray[np.float64], "3 3"],
    columns: Int[NDArray[np.int64], " columns"],
    rows: Int[NDArray[np.int64], " rows"],
) -> Float[NDArray[np.float32], "rows columns 2"]:
    """The flow in px that a homography causes at these columns and rows of the frame."""
    x, y = columns.astype(np.float32), rows.astype(np.float32)[:, None]
    (a, b, c), (d, e, f), (g, h, i) = homography.astype(np.float32)
    depth = g * x + h * y + i
    return np.asarray(cv2.merge([(a * x + b * y + c) / depth - x, (d * x + e * y + f) / depth - y]), np.float32)


def _matches(flow: Flow, valid: Bool[NDArray[np.bool_], "height width"] | None) -> tuple[Points, Points]:
    """Pixels (x, y) on a grid whose flow is known, and where it leads them."""
    height, width = flow.shape[:2]
    step = max(1, math.isqrt(height * width // _POINTS))
    rows, columns = (np.arange((side - 1) % step // 2, side, step) for side in (height, width))
    sampled = np.ascontiguousarray(flow[np.ix_(rows, columns)])
    known = ~is_unknown(sampled)
    if valid is not None:
        known &= valid[np.ix_(rows, columns)]
    starts = np.dstack(np.meshgrid(columns, rows)).astype(np.float32)[known]
    return starts, starts + sampled[known]


def _homography(starts: Points, ends: Points, height: int, width: int) -> NDArray[np.float64]:
    """The matrix (3, 3) that maps most starts to their ends."""
    if len(starts) < _FEWEST:
        return np.eye(3)
    tolerance = max(0.5, _TOLERANCE * max(height, width))
    found, agreeing = cv2.findHomography(starts, ends, cv2.RANSAC, tolerance)
    matrix = np.eye(3) if found is None else np.asarray(found, np.float64)
    if found is None or not _plausible(matrix, height, width):
        affine, agreeing = cv2.estimateAffine2D(starts, ends, method=cv2.RANSAC, ransacReprojThreshold=tolerance)
        if affine is None:
            return np.eye(3)
        matrix[:2], matrix[2] = affine, (0, 0, 1)
    return matrix if np.mean(agreeing) >= _LEAST_AGREEING else np.eye(3)


def _plausible(matrix: NDArray[np.float64], height: int, width: int) -> bool:
    """Whether a camera could make this motion; other homographies fit noise."""
    corners = np.array([(0, 0, 1), (width, 0, 1), (0, height, 1), (width, height, 1)], np.float64)
    depths = corners @ matrix[2]
    return bool(depths.min() > 0 and depths.max() < _LARGEST_ZOOM * depths.min())
