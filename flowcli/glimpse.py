"""The colour scale of a run, settled before its first flow is drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from flowcli.colour import UNKNOWN, ColourScale, magnitude
from flowcli.errors import UsageError
from flowcli.geometry import Reduction, shrunk

if TYPE_CHECKING:
    from flowcli.estimator import FlowEstimator
    from flowcli.media.sources import Source

# A video's colour scale comes from this many pairs, shrunk to this many pixels on the longer side.
GLIMPSES = 5
GLIMPSE_SIDE = 640
BACKGROUNDS = ("white", "black")
MODES = ("video", "frame")


def parse_scale(text: str, *, gamma: float = 1.0, background: str = "white") -> ColourScale | None:
    """The scale that --max-flow asks for; None for `auto`."""
    plain = plain_scale(gamma, background)
    if text == "auto":
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= UNKNOWN:
        raise UsageError(f"--max-flow {text} is no motion in px", hint="give a number above 0, or auto")
    return replace(plain, max_flow=value)


def parse_mode(text: str, max_flow: str) -> str:
    """What --scale-mode asks for: `video` for one scale, `frame` for each pair's own."""
    if text not in MODES:
        raise UsageError(f"--scale-mode {text} is not known", hint=f"use {' or '.join(MODES)}")
    if text == "frame" and max_flow != "auto":
        raise UsageError("--max-flow is one scale for all pairs", hint="leave --scale-mode frame out")
    return text


def plain_scale(gamma: float, background: str) -> ColourScale:
    """A scale of one pixel that looks as asked for."""
    if not 0.1 <= gamma <= 10:
        raise UsageError(f"--gamma {gamma:g} is not between 0.1 and 10", hint="2 shows slow motion more strongly")
    if background not in BACKGROUNDS:
        raise UsageError(f"--background {background} is not known", hint=f"use {' or '.join(BACKGROUNDS)}")
    return ColourScale(1.0, gamma, dark=background == "black")


def glimpsed_scale(source: Source, estimator: FlowEstimator, *, skip: int) -> ColourScale:
    """One colour scale for a whole video, from a few pairs spread over it."""
    speeds = []
    for pair in source.glimpse(count=GLIMPSES, skip=skip):
        height, width = pair.first.image.shape[:2]
        size = Reduction(max_side=GLIMPSE_SIDE).size(height, width)
        first, second = (shrunk(frame.image, size) for frame in (pair.first, pair.second))
        speeds.append(magnitude(estimator.flow_between(first, second)) * max(height, width) / max(size))
    return ColourScale.covering(speeds)
