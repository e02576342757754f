"""Tone mapping of HDR frames for a common screen.

Light is relative to white of 203 cd/m² (ITU-R BT.2408), and encoded as sRGB (IEC 61966-2-1). White becomes 0.9 of full,
and brighter light is compressed into the rest, each of red, green and blue on its own.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from flowcli.media.levels import srgb
from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from typing import Any

    from jaxtyping import Float, Shaped, UInt8
    from numpy.typing import NDArray

    Curve = Float[NDArray[np.float32], "65536"]

PQ, HLG = 16, 18
"""The transfer functions, by their numbers in ITU-T H.273."""
SCREEN_PRIMARIES = 1
"""BT.709, those of sRGB."""
_WHITE = 203.0
_KNEE = 0.8
"""The encoded value up to which nothing is compressed."""
_STEPS = 4096
_BRIGHTEST = 10000 / _WHITE
# From linear RGB of BT.2020, and of P3 with white D65, to that of BT.709: ITU-R BT.2407, SMPTE EG 432-1.
_TO_SCREEN = {
    9: [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    12: [[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]],
}


def is_hdr(frame: Any) -> bool:
    """Whether a PyAV frame is of PQ or HLG."""
    return bool(frame.color_trc in {PQ, HLG})


def tone_mapped(
    codes: Shaped[NDArray[Any], "height width 3"], transfer: int, primaries: int
) -> UInt8[NDArray[np.uint8], "height width 3"]:
    """The sRGB image of RGB whose codes, of 16 bits, follow PQ or HLG; float32 `codes` are linear light already.

    Primaries that are not known are taken for BT.2020.
    """
    light = codes if codes.dtype == np.float32 else _light(transfer)[codes]
    if primaries != SCREEN_PRIMARIES:
        light = cv2.transform(light, np.array(_TO_SCREEN.get(primaries, _TO_SCREEN[9]), np.float32))
    # Evenly spaced square roots resolve dark values.
    places = np.sqrt(np.clip(light, 0, _BRIGHTEST) / np.float32(_BRIGHTEST)) * np.float32(_STEPS - 1)
    return np.asarray(_shown()[np.rint(places).astype(np.uint16)], np.uint8)


@cache
def _light(transfer: int) -> Curve:
    """The light of every code of 16 bits, relative to white."""
    codes = np.linspace(0, 1, 2**16)
    return (light_of_pq(codes) if transfer == PQ else light_of_hlg(codes)).astype(np.float32)


def light_of_pq(codes: NDArray[Any]) -> NDArray[Any]:
    """The light of PQ codes from 0 to 1: SMPTE ST 2084."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    root = np.clip(codes, 0, 1) ** (1 / m2)
    return np.asarray((np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1) * 10000 / _WHITE)


def light_of_hlg(codes: NDArray[Any]) -> NDArray[Any]:
    """The light of HLG codes from 0 to 1 on a screen of 1000 cd/m²: ITU-R BT.2100, its system gamma on each channel."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    codes = np.clip(codes, 0, 1)
    scene = np.where(codes <= 0.5, codes**2 / 3, (np.exp((codes - c) / a) + b) / 12)
    return scene**1.2 * 1000 / _WHITE


@cache
def _shown() -> UInt8[NDArray[np.uint8], steps]:
    """The 8-bit value of light, from none to the brightest, whose square roots are evenly spaced."""
    encoded = srgb((np.linspace(0, 1, _STEPS, dtype=np.float32) ** 2) * np.float32(_BRIGHTEST))
    beyond = np.maximum(encoded - _KNEE, 0) / (1 - _KNEE)
    compressed = np.where(encoded <= _KNEE, encoded, _KNEE + (1 - _KNEE) * beyond / (1 + beyond))
    return np.asarray(np.rint(255 * compressed), np.uint8)
