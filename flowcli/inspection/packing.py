"""Arrays as text in the data of explorer.html: rounded, split into planes of bytes, deflated, in base64.

Bytes of equal significance and values of one channel lie together because they deflate better so. page/storage.js is
the inverse.
"""

from __future__ import annotations

import zlib
from base64 import b64encode
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray


def exact(values: Float[NDArray[np.float32], ...]) -> dict[str, object]:
    """float32."""
    return {"kind": "float32", "bytes": deflated(values.astype("<f4"))}


def shortest(values: Float[NDArray[np.float32], ...]) -> dict[str, object]:
    """float16 if that is exact, as for published weights, else float32."""
    half = values.astype("<f2")
    return {"kind": "float16", "bytes": deflated(half)} if np.array_equal(half, values) else exact(values)


def fixed(values: Float[NDArray[np.float32], "... channels"], *, bits: int = 16) -> dict[str, object]:
    """Steps between the minimum and the maximum of each channel, in 16 or 24 bits; the last code is NaN.

    On features, 16 bits round an eighth as much as float16, whose steps depend on each value, and 24 bits no more than
    float32.
    """
    unknown = 2**bits - 1
    flat = values.reshape(-1, values.shape[-1]).astype(np.float64)
    known = np.isfinite(flat)
    low = np.where(known, flat, np.inf).min(axis=0)
    high = np.where(known, flat, -np.inf).max(axis=0)
    low, high = (np.where(np.isfinite(bound), bound, 0.0) for bound in (low, high))
    step = np.where(high > low, (high - low) / (unknown - 1), 1.0)
    codes = np.where(known, np.rint((flat - low) / step), unknown)
    packed = deflated(codes.T.astype("<u4"), significant=bits // 8)
    return {"kind": f"fixed{bits}", "low": low.tolist(), "step": step.tolist(), "bytes": packed}


def deflated(values: NDArray[np.generic], *, significant: int | None = None) -> str:
    """The planes of bytes, from the least `significant` ones on, deflated and in base64."""
    planes = np.ascontiguousarray(values).reshape(-1, 1).view(np.uint8).T[:significant]
    return b64encode(zlib.compress(planes.tobytes(), 9)).decode()
