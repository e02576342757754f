"""The colour scale of a run, settled before its first flow is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcli.colour import ColourScale, magnitude
from flowcli.errors import UsageError
from flowcli.geometry import Reduction, shrunk

if TYPE_CHECKING:
    from flowcli.estimator import FlowEstimator
    from flowcli.sources import Source

# A video's colour scale comes from this many pairs, shrunk to this many pixels on the longer side.
GLIMPSES = 5
GLIMPSE_SIDE = 320


def parse_scale(text: str) -> ColourScale | None:
    """The scale that --max-flow asks for; None for `auto`."""
    if text == "auto":
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise UsageError(f"--max-flow {text} is no motion in px", hint="give a number above 0, or auto")
    return ColourScale(value)


def glimpsed_scale(source: Source, estimator: FlowEstimator, *, skip: int) -> ColourScale:
    """One colour scale for a whole video, from a few pairs spread over it."""
    speeds = []
    for pair in source.glimpse(count=GLIMPSES, skip=skip):
        height, width = pair.first.image.shape[:2]
        size = Reduction(max_side=GLIMPSE_SIDE).size(height, width)
        first, second = (shrunk(frame.image, size) for frame in (pair.first, pair.second))
        speeds.append(magnitude(estimator.flow_between(first, second)) * max(height, width) / max(size))
    return ColourScale.covering(speeds)
