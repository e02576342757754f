"""Colour matrices that FFmpeg does not convert, by their definitions in ITU-T H.273 and ITU-R BT.2100."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.media.pyav.hdr import light_of_hlg, light_of_pq
from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from typing import Any

    from jaxtyping import Float, UInt8, UInt16
    from numpy.typing import NDArray

    Planes = UInt16[NDArray[np.uint16], "height width 3"]

ICTCP = 14
# From I, Ct and Cp to L', M' and S', with PQ and with HLG, and from L, M and S to linear RGB of BT.2020.
_PQ_LMS = np.linalg.inv(np.array([[2048, 2048, 0], [6610, -13613, 7003], [17933, -17390, -543]]) / 4096)
_HLG_LMS = np.linalg.inv(np.array([[2048, 2048, 0], [3625, -7465, 3840], [9500, -9212, -288]]) / 4096)
_RGB = np.linalg.inv(np.array([[1688, 2146, 262], [683, 2951, 462], [99, 309, 3688]]) / 4096)


def from_ycgco(planes: Planes, *, full: bool, bits: int, extra: int) -> UInt8[NDArray[np.uint8], "height width 3"]:
    """The RGB image of Y, Cg and Co of 16 bits.

    The reversible kinds have `extra` bits more than RGB, and chroma at twice the scale of their luma.
    """
    y, cg, co = np.moveaxis(_normalised(planes, full=full), -1, 0)
    if extra:
        # Whole numbers of `bits` bits: G = Y + Cg/2 rounded up, B = Y - Cg/2 - Co/2, R = B + Co.
        top = 2 ** (bits - extra) - 1
        y, cg, co = (np.rint(plane * (2**bits - 1)) for plane in (y, cg, co))
        middle = y - np.floor(cg / 2)
        green, blue = middle + cg, middle - np.floor(co / 2)
        red = blue + co
        return _bytes(np.stack([red, green, blue], axis=-1) / top)
    return _bytes(np.stack([y - cg + co, y + cg, y - cg - co], axis=-1))


def from_ictcp(planes: Planes, *, full: bool, hlg: bool) -> Float[NDArray[np.float32], "height width 3"]:
    """The light, as linear RGB of BT.2020, of I, Ct and Cp of 16 bits."""
    codes = cv2.transform(_normalised(planes, full=full), (_HLG_LMS if hlg else _PQ_LMS).astype(np.float32))
    light = (light_of_hlg if hlg else light_of_pq)(codes).astype(np.float32)
    return np.asarray(cv2.transform(light, _RGB.astype(np.float32)), np.float32)


def _normalised(planes: Planes, *, full: bool) -> Float[NDArray[np.float32], "height width 3"]:
    """Luma from 0 to 1 and chroma from -0.5 to 0.5."""
    values = planes.astype(np.float32)
    if full:
        return np.asarray((values - np.array([0, 2**15, 2**15])) / (2**16 - 1), np.float32)
    return np.asarray((values / 256 - np.array([16, 128, 128])) / np.array([219, 224, 224]), np.float32)


def _bytes(rgb: NDArray[Any]) -> UInt8[NDArray[np.uint8], "height width 3"]:
    return np.asarray(np.rint(np.clip(rgb, 0, 1) * 255), np.uint8)
