"""Which stored values are shown as black and white, for images and video of more than 8 bits.

Cameras store 10 to 14 bits in 16, and thermal and medical images use a small part of even those; of the 256 grey levels
that RAFT sees, few would remain.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from flowcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from jaxtyping import Shaped, UInt8
    from numpy.typing import NDArray

    Samples = Shaped[NDArray[Any], "height width *channels"]
    Mode = Literal["auto", "full"]

SAMPLED = 16
"""The number of frames that the range of a run is measured on."""
IGNORED = "frames of 8 bits, YUV and HDR are not changed by --levels"
"""The sentence about levels that do not fit."""
_OUTLIERS = 0.001
"""The part of a frame's values, at either end, that may be outside its range, such as dead pixels."""
_NARROW = 0.25
"""Values within less than this part of the full range, 64 grey levels, are stretched."""


@dataclass(frozen=True)
class Levels:
    """The stored values `low` and `high`, which are shown as black and white; those beyond them are clipped."""

    low: float
    high: float

    @property
    def span(self) -> float:
        """How far the two are apart."""
        return self.high - self.low

    def apply(self, samples: Samples, *, linear: bool = False) -> UInt8[NDArray[np.uint8], "height width 3"]:
        """The RGB image of grey or RGB samples; those that are not numbers are black, `linear` ones encoded as sRGB."""
        if samples.dtype == np.uint16:
            image = self._scaled(np.arange(2**16), linear=linear)[samples]
        else:
            image = self._scaled(samples, linear=linear)
        return np.ascontiguousarray(image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2))

    def _scaled(self, values: NDArray[Any], *, linear: bool) -> NDArray[np.uint8]:
        numbers = np.nan_to_num(values.astype(np.float32), nan=self.low, posinf=self.high, neginf=self.low)
        light = np.clip((numbers - self.low) / self.span, 0, 1)
        return np.rint((srgb(light) if linear else light) * 255).astype(np.uint8)

    def __str__(self) -> str:
        return f"{self.low:.6g} to {self.high:.6g}"


UNIT = Levels(0.0, 1.0)
"""The full range of floating-point samples."""


def srgb(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Light from 0, where 1 is white, as encoded for a screen: IEC 61966-2-1."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 0) ** np.float32(1 / 2.4) - 0.055)


def of_bits(bits: int) -> Levels:
    """The full range of whole numbers of so many bits."""
    return Levels(0, 2**bits - 1)


def parse_levels(text: str) -> Levels | Mode:
    """The value of --levels: `auto`, `full`, or the levels that `LOW,HIGH` names; raises UsageError for other text."""
    if text in {"auto", "full"}:
        return cast("Mode", text)
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        low = high = math.nan
    if not -math.inf < low < high < math.inf:
        raise UsageError(
            f"--levels {text} is not a range", hint="use auto, full, or two stored values such as 3000,3500"
        )
    return Levels(low, high)


def measured(frames: Iterable[Samples], *, full: Levels) -> Levels | None:
    """The range that the frames use, a few outliers aside; None where `full` shows them well.

    Frames without contrast are ignored: cameras begin with some, or close their shutter.
    """
    ranges = [found for found in map(_range_of, frames) if found is not None]
    if not ranges:
        return None
    used = Levels(min(found.low for found in ranges), max(found.high for found in ranges))
    beyond = used.high > full.high or used.low < full.low
    return used if beyond or used.span < _NARROW * full.span else None


def note_of(levels: Levels) -> str:
    """The sentence about levels that are not the full range."""
    return f"values from {levels} are shown as black to white, in all frames (--levels)"


def notes_of(chosen: Levels | None, wanted: Levels | Mode) -> list[str]:
    """The sentence about the levels that were chosen for images, or about wanted ones that do not fit them."""
    if chosen is not None:
        return [note_of(chosen)]
    return [IGNORED] if isinstance(wanted, Levels) else []


def _range_of(samples: Samples) -> Levels | None:
    values = samples[np.isfinite(samples)] if samples.dtype.kind == "f" else samples.reshape(-1)
    if not values.size:
        return None
    # Beyond some 100,000 values, the range of a regular part is as exact.
    values = values[:: max(1, values.size // 200_000)]
    for outliers in (_OUTLIERS, 0.0):
        low, high = (float(value) for value in np.quantile(values, (outliers, 1 - outliers), method="nearest"))
        if low < high:
            return Levels(low, high)
    return None
