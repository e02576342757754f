"""Chooses the colour scale of a run before its first flow is drawn."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from flowcli.flow.camera_motion import camera_motion
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
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from jaxtyping import Float
    from numpy.typing import NDArray

    from flowcli.flow.estimate import Estimate
    from flowcli.flow.outputs import Output
    from flowcli.media.sources import Source
    from flowcli.model.estimator import FlowEstimator
    from flowcli.pipeline.request import Request

    Speeds = Float[NDArray[np.float32], "height width"]

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
    def constant(self) -> ColourScale | None:
        """The scale of all pairs; None if it changes from pair to pair."""
        return None if self.changing else self.scale

    def scaled(self, estimates: Iterator[Estimate]) -> Iterator[Estimate]:
        """The same estimates, each with its own scale if the scale is changing."""
        return self.changing(estimates) if self.changing else estimates


def colours_of(
    request: Request,
    outputs: Collection[Output],
    *,
    sampled: Callable[[], Sequence[Speeds]],
    seekable: bool = True,
    resolved: Mapping[str, Any] | None = None,
) -> Colours:
    """The colour scale of a run; `sampled` measures the speeds of a few pairs and is called only if needed.

    A source that is not `seekable` is sampled only at its start, so its scale changes with the motion. The scale that
    an earlier process `resolved` is kept. Raises UsageError for invalid options.
    """
    plain = plain_scale(request.gamma, request.background, request.wheel)
    fixed = parse_scale(request.max_flow, plain)
    fit = partial(plain.fitted, gamma=request.gamma == "auto")
    if parse_mode(request.scale_mode, request.max_flow) == "frame":
        return Colours(plain, ScaleByPair(fit, stabilise=request.stabilise))
    if resolved is not None:
        return Colours(replace(plain, max_flow=resolved["max_flow"], gamma=resolved["gamma"]))
    if fixed or not any(isinstance(output.kind, Picture) for output in outputs):
        return Colours(fixed or plain)
    scale = fit(sampled())
    return Colours(scale, None if seekable else ScaleByPast(scale, stabilise=request.stabilise))


def sampled_speeds(source: Source, estimator: FlowEstimator, *, skip: int, stabilise: bool = False) -> list[Speeds]:
    """The speeds of a few pairs of a video, spread over it if the source is seekable; `stabilise` as in `speeds_of`."""
    speeds = []
    for pair in source.sample_pairs(count=SAMPLED_PAIRS, skip=skip):
        height, width = pair.first.image.shape[:2]
        size = Resizing(max_side=SAMPLED_SIDE).size(height, width)
        first, second = (resized(frame.image, size) for frame in (pair.first, pair.second))
        flow = estimator.flow_between(first, second)
        own = flow - camera_motion(flow) if stabilise else flow
        speeds.append(magnitude(own) * max(height, width) / max(size))
    return speeds


@dataclass(frozen=True)
class ScaleByPair:
    """Assigns each estimate the scale that `fit` finds for its own speeds."""

    fit: Callable[[Sequence[Speeds]], ColourScale]
    stabilise: bool = False

    def __call__(self, estimates: Iterable[Estimate]) -> Iterator[Estimate]:
        """The same estimates, each with the scale of its own motion."""
        for estimate in estimates:
            yield replace(estimate, scale=self.fit([speeds_of(estimate, stabilise=self.stabilise)]))


class ScaleByPast:
    """Assigns each estimate a scale that covers the typical fast speed of the most recent pairs.

    The scale starts from `first`. A few fast pairs change it little.
    """

    def __init__(self, first: ColourScale, *, stabilise: bool = False) -> None:
        self._first = first
        self._stabilise = stabilise
        self._fast = deque([first.max_flow], maxlen=_PAST_PAIRS)

    def __call__(self, estimates: Iterable[Estimate]) -> Iterator[Estimate]:
        """The same estimates, each with a scale that depends only on it and earlier ones."""
        for estimate in estimates:
            fast = fast_speed(speeds_of(estimate, stabilise=self._stabilise))
            if fast is not None and not estimate.pair.cut:
                self._fast.append(fast)
            yield replace(estimate, scale=replace(self._first, max_flow=typical(self._fast)))


def speeds_of(estimate: Estimate, *, stabilise: bool = False) -> Speeds:
    """The speeds of a pair in px on a grid of its pixels; with `stabilise`, without the motion of the camera."""
    flow = estimate.backward if estimate.forward is None else estimate.forward
    if flow is None:
        raise ValueError("this estimate has neither forward nor backward flow")
    step = max(1, min(flow.shape[-2:]) // _SAMPLES_PER_SIDE)
    sampled = estimate.own_flow[::step, ::step] if stabilise else as_array(flow[:, ::step, ::step])
    return magnitude(np.ascontiguousarray(sampled))
