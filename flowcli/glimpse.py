"""The colour scale of a run, settled before its first flow is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcli.flow.colour import ColourScale, magnitude
from flowcli.model.resize import Reduction, shrunk

if TYPE_CHECKING:
    from flowcli.media.sources import Source
    from flowcli.model.estimator import FlowEstimator

# A video's colour scale comes from this many pairs, shrunk to this many pixels on the longer side.
GLIMPSES = 5
GLIMPSE_SIDE = 640


def glimpsed_scale(source: Source, estimator: FlowEstimator, *, skip: int) -> ColourScale:
    """One colour scale for a whole video, from a few pairs spread over it."""
    speeds = []
    for pair in source.glimpse(count=GLIMPSES, skip=skip):
        height, width = pair.first.image.shape[:2]
        size = Reduction(max_side=GLIMPSE_SIDE).size(height, width)
        first, second = (shrunk(frame.image, size) for frame in (pair.first, pair.second))
        speeds.append(magnitude(estimator.flow_between(first, second)) * max(height, width) / max(size))
    return ColourScale.covering(speeds)
