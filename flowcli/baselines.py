"""Flow without learning, to measure ours against: none at all, and two of OpenCV's methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def zero(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Flow (height, width, 2) of a scene that stands still."""
    return np.zeros((*first.shape[:2], 2), dtype=np.float32)


def dis(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Flow (height, width, 2) by dense inverse search (Kroeger et al., ECCV 2016), OpenCV's medium preset."""
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = method.calc(_grey(first), _grey(second), None)  # type: ignore[call-overload]  # None: no start
    return np.asarray(flow, dtype=np.float32)


def farneback(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Flow (height, width, 2) by polynomial expansion (Farnebäck, SCIA 2003), as OpenCV's own example calls it."""
    settings = {"pyr_scale": 0.5, "levels": 3, "winsize": 15, "iterations": 3, "poly_n": 5, "poly_sigma": 1.2}
    flow = cv2.calcOpticalFlowFarneback(_grey(first), _grey(second), None, **settings, flags=0)  # type: ignore[call-overload]
    return np.asarray(flow, dtype=np.float32)


def _grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


BASELINES: dict[str, Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.float32]]] = {
    "zero": zero,
    "dis": dis,
    "farneback": farneback,
}
