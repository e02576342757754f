"""Chooses the colour scale of a run before its first flow is drawn."""

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
from flowcli.model.resize import Resizing, resized

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from typing import Any

    from flowcli.flow.estimate import Estimate
    from flowcli.flow.outputs import Output
    from flowcli.media.sources import Source
    from flowcli.model.estimator import FlowEstimator
    from flowcli.pipeline.request import Request

# The scale of a video is measured on this many pairs, reduced to this many pixels on the longer side.
SAMPLED_PAIRS = 5
SAMPLED_SIDE = 640
_PAST_PAIRS = 250
_SAMPLES_PER_SIDE = 90
"""The fast speed of a pair is measured on a grid of at least this many rows and columns, where the flow has them."""


@dataclass(frozen=True)
class Colours:
    """The colour scale of a run: one `scale` for all pairs, or one for each pair, assigned by `changing`."""

    scale: ColourScale
    changing: Callable[[Iterable[Estimate]], Iterator[Estimate]] | None = None

    @property
    def max_flow(self) -> float | None:
        """The speed drawn in full colour, in px; None if it changes from pair to pair."""
        return None if self.changing else self.scale.max_flow

    def scaled(self, estimates: Iterator[Estimate]) -> Iterator[Estimate]:
        """The same estimates, each with its own scale if the scale is changing."""
        return self.changing(estimates) if self.changing else estimates


def colours_of(
    request: Request,
    outputs: Collection[Output],
    *,
    sampled: Callable[[], ColourScale],
    seekable: bool = True,
    resolved: Mapping[str, Any] | None = None,
) -> Colours:
    """The colour scale of a run; `sampled` measures one on a few pairs and is called only if needed.

    A source that is not `seekable` is sampled only at its start, so its scale changes with the motion. The scale that
    an earlier process `resolved` is kept. Raises UsageError for invalid options.
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
    """One colour scale for a whole video, measured on a few pairs, spread over it if the source is seekable."""
    speeds = []
    for pair in source.sample_pairs(count=SAMPLED_PAIRS, skip=skip):
        height, width = pair.first.image.shape[:2]
        size = Resizing(max_side=SAMPLED_SIDE).size(height, width)
        first, second = (resized(frame.image, size) for frame in (pair.first, pair.second))
        speeds.append(magnitude(estimator.flow_between(first, second)) * max(height, width) / max(size))
    return ColourScale.covering(speeds)


def scale_by_pair(estimates: Iterable[Estimate], like: ColourScale) -> Iterator[Estimate]:
    """The same estimates, each with the scale of its own motion and the gamma and background of `like`."""
    for estimate in estimates:
        fast = fast_speed_of(estimate)
        yield replace(estimate, scale=replace(like, max_flow=typical([] if fast is None else [fast])))


class ScaleByPast:
    """Assigns each estimate a scale that covers the typical fast speed of the most recent pairs.

    The scale starts from `first`. A few fast pairs change it little.
    """

    def __init__(self, first: ColourScale) -> None:
        self._first = first
        self._fast = deque([first.max_flow], maxlen=_PAST_PAIRS)

    def __call__(self, estimates: Iterable[Estimate]) -> Iterator[Estimate]:
        """The same estimates, each with a scale that depends only on it and earlier ones."""
        for estimate in estimates:
            fast = fast_speed_of(estimate)
            if fast is not None and not estimate.pair.cut:
                self._fast.append(fast)
            yield replace(estimate, scale=replace(self._first, max_flow=typical(self._fast)))


def fast_speed_of(estimate: Estimate) -> float | None:
    """The speed of the fast pixels of a pair, in px; None if it has no flow or no known pixel."""
    flow = estimate.backward if estimate.forward is None else estimate.forward
    if flow is None:
        return None
    step = max(1, min(flow.shape[-2:]) // _SAMPLES_PER_SIDE)
    return fast_speed(magnitude(as_array(flow[:, ::step, ::step])))
