"""Flow as colour: the Middlebury colour wheel (Baker et al., IJCV 2011) and its scale."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from flowcli.errors import UsageError
from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from jaxtyping import Bool, Float, UInt8
    from numpy.typing import NDArray

UNKNOWN = 1e9
"""Flow with a larger component is unknown, by the convention of `.flo` files."""

# The number of hues from each of red, yellow, green, cyan, blue and magenta to the next, by perceptual similarity.
_STEPS = (15, 6, 4, 11, 13, 6)
_CORNERS = ((255, 0, 0), (255, 255, 0), (0, 255, 0), (0, 255, 255), (0, 0, 255), (255, 0, 255))
_RADIUS = 256
_ROWS_AT_ONCE = 32

BACKGROUNDS = ("white", "black")
WHEELS = ("closed", "middlebury")
MODES = ("video", "frame")

MOVING = 0.5
"""The speed in pixels per pair from which a pixel counts as moving; noise is slower."""
_SLOW_SATURATION = 0.4
_STRONGEST_GAMMA = 1.6
"""A gamma of 2 shows the blocks of the flow's grid and noise on what stands still."""


@dataclass(frozen=True)
class ColourScale:
    """The mapping from speed to saturation. A video has one for all pairs, so that colours do not flicker.

    Saturation is full at `max_flow` pixels; a `gamma` above 1 shows slow motion more strongly. No motion is white, or
    black if `dark`. With `seam`, hues are those of Middlebury throughout, which leap to red at the right; else those
    from magenta to red are spread over the leap, so that a pan to the right shows none.
    """

    max_flow: float
    gamma: float = 1.0
    dark: bool = False
    seam: bool = False

    @classmethod
    def covering(cls, magnitudes: Iterable[NDArray[np.float32]]) -> ColourScale:
        """The scale of typical fast motion, from the speeds of a few pairs in pixels."""
        return cls(typical([fast for speeds in magnitudes if (fast := fast_speed(speeds)) is not None]))

    def fitted(self, magnitudes: Iterable[NDArray[np.float32]], *, gamma: bool) -> ColourScale:
        """This scale with the `max_flow` of typical fast motion, from the speeds of a few pairs in pixels.

        With `gamma`, it has the gamma from 1 to 1.6 that gives slow motion two fifths of full saturation, as far as
        possible, so that neither the beginning of motion that grows nor slow motion beside fast one is lost in white.
        """
        magnitudes = list(magnitudes)
        max_flow = self.covering(magnitudes).max_flow
        slow = [float(np.quantile(moving, 0.25)) for speeds in magnitudes if (moving := _moving(speeds)).size]
        if not gamma or not slow:
            return replace(self, max_flow=max_flow)
        fraction = min(float(np.quantile(slow, 0.25)) / max_flow, _SLOW_SATURATION)
        fitting = math.log(fraction) / math.log(_SLOW_SATURATION)
        return replace(self, max_flow=max_flow, gamma=round(min(fitting, _STRONGEST_GAMMA), 1))

    def __str__(self) -> str:
        strengthened = "" if self.gamma == 1 else f", gamma {self.gamma:g}"
        return f"full colour at {self.max_flow:.3g} px{strengthened}"


def fast_speed(speeds: NDArray[np.float32]) -> float | None:
    """The 99th percentile of known speeds; None where no flow is known."""
    known = speeds[speeds <= UNKNOWN]
    return float(np.percentile(known, 99.0)) if known.size else None


def _moving(speeds: NDArray[np.float32]) -> NDArray[np.float32]:
    return speeds[(speeds >= MOVING) & (speeds <= UNKNOWN)]


def typical(fast: Collection[float], *, floor: float = 1.0) -> float:
    """The `max_flow` for pairs with these fast speeds: their upper quartile, but at least `floor` pixels.

    It is not their maximum, because the flow of a pair across a cut is meaningless. The floor keeps still frames white,
    where a scale up to their own maximum would show noise.
    """
    return max(floor, float(np.quantile(list(fast), 0.75, method="lower"))) if fast else floor


def colour_flow(
    flow: Float[NDArray[np.float32], "height width 2"], *, scale: ColourScale
) -> UInt8[NDArray[np.uint8], "height width 3"]:
    """Flow as RGB: hue is direction (right red, down yellow, left cyan, up violet), saturation is speed.

    Motion faster than the scale keeps its hue at full saturation. Unknown flow, NaN or above 1e9, is black, or grey on
    a dark scale.
    """
    table = _table(scale.gamma, scale.dark, scale.seam)
    unknown = 80 if scale.dark else 0
    image = np.empty((*flow.shape[:2], 3), np.uint8)
    # In bands that fit the cache this takes half the time.
    with np.errstate(invalid="ignore"):
        for top in range(0, len(flow), _ROWS_AT_ONCE):
            _colour_band(
                flow[top : top + _ROWS_AT_ONCE], image[top : top + _ROWS_AT_ONCE], table, scale.max_flow, unknown
            )
    return image


def colour_speed(
    flow: Float[NDArray[np.float32], "height width 2"], *, scale: ColourScale
) -> UInt8[NDArray[np.uint8], "height width 3"]:
    """Speed as RGB of viridis, which is perceptually uniform: violet is no motion, yellow `max_flow` or faster.

    Unknown flow is black.
    """
    unknown = is_unknown(flow)
    fraction = np.minimum(np.where(unknown, 0, magnitude(flow)) / np.float32(scale.max_flow), 1)
    levels = np.rint(255 * fraction ** np.float32(1 / scale.gamma)).astype(np.uint8)
    image = np.asarray(cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB), np.uint8)
    image[unknown] = 0
    return image


def magnitude(flow: Float[NDArray[np.float32], "height width 2"]) -> Float[NDArray[np.float32], "height width"]:
    """Speed in pixels; NaN or huge where flow is unknown."""
    return np.asarray(cv2.magnitude(*cv2.split(flow)), np.float32)


def is_unknown(flow: Float[NDArray[np.float32], "height width 2"]) -> Bool[NDArray[np.bool_], "height width"]:
    """Where flow is NaN or above 1e9."""
    x, y = cv2.split(flow)
    return np.asarray(~(np.maximum(np.abs(x), np.abs(y)) <= UNKNOWN), np.bool_)


def with_nan(flow: Float[NDArray[np.float32], "height width 2"]) -> Float[NDArray[np.float32], "height width 2"]:
    """The flow with NaN in both components where it is unknown, for what has no other mark for that."""
    unknown = is_unknown(flow)
    return np.where(unknown[..., None], np.float32(np.nan), flow) if unknown.any() else flow


_PLAIN = ColourScale(1.0)


def wheel(radius: int, scale: ColourScale = _PLAIN) -> UInt8[NDArray[np.uint8], "size size 3"]:
    """The colour wheel of a scale, whose `max_flow` lies `radius` pixels from the centre; size is 2 radius + 1."""
    steps = np.arange(-radius, radius + 1, dtype=np.float32)
    flow = np.stack(np.meshgrid(steps, steps), axis=-1)
    return colour_flow(flow, scale=replace(scale, max_flow=float(radius)))


def _colour_band(
    flow: NDArray[np.float32], image: NDArray[np.uint8], table: NDArray[np.uint8], max_flow: float, grey: int
) -> None:
    x, y = cv2.split(flow)
    reach = np.maximum(np.abs(x), np.abs(y))
    unknown = ~(reach <= UNKNOWN)
    # Motion faster than the table is shortened to its border, in its own direction.
    np.maximum(reach, np.float32(max_flow), out=reach)
    np.divide(np.float32(_RADIUS), reach, out=reach)
    x = x * reach + np.float32(_RADIUS)
    y = y * reach + np.float32(_RADIUS)
    cv2.remap(table, x, y, cv2.INTER_LINEAR, dst=image, borderMode=cv2.BORDER_REPLICATE)
    if unknown.any():
        image[unknown] = grey


@lru_cache(maxsize=12)
def _table(gamma: float, dark: bool, seam: bool) -> NDArray[np.uint8]:
    """The colour of every flow from (-1, -1) to (1, 1), so that angles are computed once, not for every pixel."""
    steps = np.arange(-_RADIUS, _RADIUS + 1) / _RADIUS
    x, y = np.meshgrid(steps, steps)
    hues = _hues()
    turn = np.arctan2(-y, -x) / (2 * np.pi) + 0.5
    place = turn * (len(hues) - 1)
    if not seam:
        # The published wheel ends one hue before red. The hues from magenta on move up, the others stay.
        magenta = sum(_STEPS[:-1])
        place = np.where(place > magenta, magenta + (place - magenta) * _STEPS[-1] / (_STEPS[-1] - 1), place)
    before = np.floor(place).astype(int)
    fraction = (place - before)[..., None]
    hue = (1 - fraction) * hues[before % len(hues)] + fraction * hues[(before + 1) % len(hues)]
    saturation = (np.minimum(np.hypot(x, y), 1) ** (1 / gamma))[..., None]
    colour = saturation * hue if dark else 1 - saturation * (1 - hue)
    return np.asarray(np.rint(255 * colour), np.uint8)


def _hues() -> NDArray[np.float64]:
    """The 55 hues of the wheel in [0, 1], from red through yellow."""
    corners = np.array(_CORNERS, np.float64) / 255
    ramps = []
    for number, steps in enumerate(_STEPS):
        fraction = np.floor(255 * np.arange(steps) / steps)[:, None] / 255
        ramps.append(corners[number] * (1 - fraction) + corners[(number + 1) % 6] * fraction)
    return np.concatenate(ramps)


def parse_scale(text: str, plain: ColourScale = _PLAIN) -> ColourScale | None:
    """The scale of the value of --max-flow, else like `plain`; None for `auto`; raises UsageError for anything else."""
    if text == "auto":
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= UNKNOWN:
        raise UsageError(f"--max-flow {text} is not a motion in px", hint="give a number above 0, or auto")
    return replace(plain, max_flow=value)


def parse_mode(text: str, max_flow: str) -> str:
    """The value of --scale-mode: `video` for one scale, `frame` for each pair's own; raises UsageError."""
    if text not in MODES:
        raise UsageError(f"--scale-mode {text} is not known", hint=f"use {' or '.join(MODES)}")
    if text == "frame" and max_flow != "auto":
        raise UsageError("--max-flow is one scale for all pairs", hint="leave --scale-mode frame out")
    return text


def plain_scale(gamma: str = "1", background: str = "white", wheel: str = "closed") -> ColourScale:
    """A scale of one pixel with this gamma, 1 for `auto`, background and wheel; raises UsageError for unusable ones."""
    try:
        value = 1.0 if gamma == "auto" else float(gamma)
    except ValueError:
        value = -1.0
    if not 0.1 <= value <= 10:
        raise UsageError(
            f"--gamma {gamma} is not between 0.1 and 10", hint="2 shows slow motion more strongly; or use auto"
        )
    for option, given, known in (("background", background, BACKGROUNDS), ("wheel", wheel, WHEELS)):
        if given not in known:
            raise UsageError(f"--{option} {given} is not known", hint=f"use {' or '.join(known)}")
    return ColourScale(1.0, value, dark=background == "black", seam=wheel == "middlebury")
