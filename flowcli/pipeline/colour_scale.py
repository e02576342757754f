"""The colour scale of a run, settled before its first flow is drawn."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from flowcli.flow.colour import (
    ColourScale,
    fast_speed,
    magnitude,
    parse_mode,
    parse_scale,
    plain_scale,
    typical,
)
from flowcli.flow.estimate import as_array
from flowcli.flow.kinds import Picture
from flowcli.model.resize import Reduction, shrunk

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from typing import Any

    from flowcli.flow.estimate import Estimate
    from flowcli.flow.outputs import Output
    from flowcli.media.sources import Source
    from flowcli.model.estimator import FlowEstimator
    from flowcli.pipeline.request import Request

# A video's colour scale comes from this many pairs, shrunk to this many pixels on the longer side.
GLIMPSES = 5
GLIMPSE_SIDE = 640
_REMEMBERED = 250
_LOOKED_AT = 90
"""About as many rows, and as many columns, are enough to tell how fast fast motion is."""


@dataclass(frozen=True)
class Colours:
    """What a run draws with: one `scale`, or, where it is `changing`, a scale of its own for every pair."""

    scale: ColourScale
    changing: Callable[[Iterable[Estimate]], Iterator[Estimate]] | None = None

    @property
    def max_flow(self) -> float | None:
        """The motion drawn in full colour in the whole run; None where that changes."""
        return None if self.changing else self.scale.max_flow

    def given_to(self, estimates: Iterator[Estimate]) -> Iterator[Estimate]:
        """The same estimates, each with the scale that it is drawn with."""
        return self.changing(estimates) if self.changing else estimates


def colours_of(
    request: Request,
    outputs: Collection[Output],
    *,
    sampled: Callable[[], ColourScale],
    seekable: bool = True,
    resolved: Mapping[str, Any] | None = None,
) -> Colours:
    """The colours that a request asks for; `sampled` gives the scale of a few pairs, where one is needed.

    What is not `seekable` can be sampled at its beginning only, so that its scale moves on with the motion. What an
    earlier process `resolved` stays. Raises UsageError for what makes no sense.
    """
    plain = plain_scale(request.gamma, request.background)
    fixed = parse_scale(request.max_flow, gamma=request.gamma, background=request.background)
    if parse_mode(request.scale_mode, request.max_flow) == "frame":
        return Colours(plain, partial(scale_by_pair, like=plain))
    if resolved is not None:
        return Colours(replace(plain, max_flow=resolved["max_flow"]))
    if fixed or not any(isinstance(output.kind, Picture) for output in outputs):
        return Colours(fixed or plain)
    scale = replace(plain, max_flow=sampled().max_flow)
    return Colours(scale, None if seekable else ScaleByPast(scale))


def sampled_scale(source: Source, estimator: FlowEstimator, *, skip: int) -> ColourScale:
    """One colour scale for a whole video, from a few pairs spread over it."""
    speeds = []
    for pair in source.sample_pairs(count=GLIMPSES, skip=skip):
        height, width = pair.first.image.shape[:2]
        size = Reduction(max_side=GLIMPSE_SIDE).size(height, width)
        first, second = (shrunk(frame.image, size) for frame in (pair.first, pair.second))
        speeds.append(magnitude(estimator.flow_between(first, second)) * max(height, width) / max(size))
    return ColourScale.covering(speeds)


def scale_by_pair(estimates: Iterable[Estimate], like: ColourScale) -> Iterator[Estimate]:
    """The same estimates, each with the scale of its own motion."""
    for estimate in estimates:
        fast = fast_speed_of(estimate)
        yield replace(estimate, scale=replace(like, max_flow=typical([] if fast is None else [fast])))


class ScaleByPast:
    """Gives estimates the scale of the motion so far.

    It begins with a `first` scale and moves with what is typical of the last pairs: a few fast ones change little.
    """

    def __init__(self, first: ColourScale) -> None:
        self._first = first
        self._fast = deque([first.max_flow], maxlen=_REMEMBERED)

    def __call__(self, estimates: Iterable[Estimate]) -> Iterator[Estimate]:
        """The same estimates, each with a scale that no later one has a say in."""
        for estimate in estimates:
            fast = fast_speed_of(estimate)
            if fast is not None and not estimate.pair.cut:
                self._fast.append(fast)
            yield replace(estimate, scale=replace(self._first, max_flow=typical(self._fast)))


def fast_speed_of(estimate: Estimate) -> float | None:
    """How fast the fast parts of a pair are, in pixels; None where nothing is known."""
    flow = estimate.backward if estimate.forward is None else estimate.forward
    if flow is None:
        return None
    step = max(1, min(flow.shape[-2:]) // _LOOKED_AT)
    return fast_speed(magnitude(as_array(flow[:, ::step, ::step])))
