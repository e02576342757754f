"""Arrays as text in the data of explorer.html: rounded, split into planes of bytes, deflated, in base64.

Bytes of equal significance lie together because they deflate better so. page/storage.js is the inverse.
"""

from __future__ import annotations

import zlib
from base64 import b64encode
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

STEPS = 65534
"""The number of steps from the minimum to the maximum of a channel; the code after them is NaN."""


def exact(values: Float[NDArray[np.float32], ...]) -> dict[str, object]:
    """float32."""
    return {"kind": "float32", "bytes": deflated(values.astype("<f4"))}


def half(values: Float[NDArray[np.float32], ...]) -> dict[str, object]:
    """float16."""
    return {"kind": "float16", "bytes": deflated(values.astype("<f2"))}


def fixed(values: Float[NDArray[np.float32], "... channels"]) -> dict[str, object]:
    """16-bit steps between the minimum and the maximum of each channel; NaN stays NaN.

    On features, this rounds an eighth as much as float16, whose steps depend on each value.
    """
    flat = values.reshape(-1, values.shape[-1]).astype(np.float64)
    known = np.isfinite(flat)
    low = np.where(known, flat, np.inf).min(axis=0)
    high = np.where(known, flat, -np.inf).max(axis=0)
    low, high = (np.where(np.isfinite(bound), bound, 0.0) for bound in (low, high))
    step = np.where(high > low, (high - low) / STEPS, 1.0)
    codes = np.where(known, np.rint((flat - low) / step), STEPS + 1)
    return {"kind": "fixed16", "low": low.tolist(), "step": step.tolist(), "bytes": deflated(codes.astype("<u2"))}


def deflated(values: NDArray[np.generic]) -> str:
    """The planes of bytes, from the least significant on, deflated and in base64."""
    planes = np.ascontiguousarray(values).reshape(-1, 1).view(np.uint8).T
    return b64encode(zlib.compress(planes.tobytes(), 9)).decode()
