"""Tracks points through a video: moves them by each pair's flow until the forward-backward check fails."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from raft_core.consistency import ABSOLUTE, RELATIVE
from raft_core.grid import sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from jaxtyping import Bool, Float, Int
    from numpy.typing import NDArray
    from torch import Tensor

    from flowcli.flow.estimate import Estimate
    from flowcli.media.frames import Frame, FramePair

USUAL_POINTS = 300
"""The approximate number of points of a grid without a given spacing."""


@dataclass(frozen=True, eq=False)
class TrackedFrame:
    """The points visible in one frame: their `numbers`, their `places` (x, y) in px, and why their tracks end here.

    An entry of `ends` is empty while a track continues. Else the point has `left` the frame in the next one, or its
    flow is `unconfirmed` by the backward flow, because it is hidden there or the flow is wrong; a `cut` or a `gap`
    follows; or the video is at its `end`.
    """

    frame: Frame
    numbers: Int[NDArray[np.int64], " points"]
    places: Float[NDArray[np.float32], "points 2"]
    ends: Sequence[str]


def follow(
    points: Float[NDArray[np.float32], "points 2"],
    estimates: Iterable[Estimate],
    *,
    relative: float = RELATIVE,
    absolute: float = ABSOLUTE,
) -> Iterator[TrackedFrame]:
    """Tracks points (x, y) of the first frame, in px, along flow of both directions; yields every frame's points.

    A point is not confirmed in the next frame if |f + b|² > relative · (|f|² + |b|²) + absolute, in px², where b is the
    backward flow at the point that f leads to (see `raft_core.consistency`); its track ends there. Stops when no point
    is left. Raises ValueError for an estimate without both directions.
    """
    numbers = torch.arange(len(points))
    places = torch.from_numpy(np.asarray(points, np.float32))
    last: FramePair | None = None
    for estimate in estimates:
        pair = estimate.pair
        if last is not None and pair.first.index != last.second.index:
            yield tracked_frame(last.second, numbers, places, ["gap"] * len(numbers))
            return
        if pair.cut:
            yield tracked_frame(pair.first, numbers, places, ["cut"] * len(numbers))
            return
        arrived, unconfirmed = advance(places, estimate, relative=relative, absolute=absolute)
        height, width = pair.first.image.shape[:2]
        left = ((arrived < 0) | (arrived > torch.tensor([width - 1, height - 1]))).any(dim=1)
        ends = [
            "left" if out else "unconfirmed" if lost else ""
            for out, lost in zip(left.tolist(), unconfirmed.tolist(), strict=True)
        ]
        yield tracked_frame(pair.first, numbers, places, ends)
        stays = ~(left | unconfirmed)
        numbers, places, last = numbers[stays], arrived[stays], pair
        if not len(numbers):
            return
    if last is not None:
        yield tracked_frame(last.second, numbers, places, ["end"] * len(numbers))


def advance(
    places: Float[Tensor, "points 2"], estimate: Estimate, *, relative: float, absolute: float
) -> tuple[Float[Tensor, "points 2"], Bool[Tensor, " points"]]:
    """Where points are in the second frame, and which of them the backward flow does not confirm.

    Raises ValueError without both directions.
    """
    if estimate.forward is None or estimate.backward is None:
        raise ValueError("tracking needs flow of both directions")
    there = at(places, estimate.forward)
    arrived = places + there
    back = at(arrived, estimate.backward)
    disagreement = (there + back).square().sum(dim=1)
    length = there.square().sum(dim=1) + back.square().sum(dim=1)
    # Negated, so that unknown flow (NaN) is not confirmed.
    return arrived, ~(disagreement <= relative * length + absolute)


def at(places: Float[Tensor, "points 2"], flow: Float[Tensor, "2 height width"]) -> Float[Tensor, "points 2"]:
    """The flow at points between pixels, bilinear, on the CPU."""
    points = places.to(flow).T[None, :, None]  # (1, 2, 1, points)
    return sample(flow[None], points)[0, :, 0].T.cpu().float()


def tracked_frame(frame: Frame, numbers: Tensor, places: Tensor, ends: Sequence[str]) -> TrackedFrame:
    """The points of a frame as NumPy arrays."""
    return TrackedFrame(frame, numbers.numpy(), places.numpy(), ends)


def grid_points(height: int, width: int, *, spacing: float | None) -> Float[NDArray[np.float32], "points 2"]:
    """A grid of points (x, y), `spacing` px apart and centred in the frame; about 300 points if it is None."""
    spacing = spacing or max(1.0, math.sqrt(height * width / USUAL_POINTS))
    columns, rows = (max(1, int(side / spacing)) for side in (width, height))
    xs = (width - 1) / 2 + spacing * (np.arange(columns) - (columns - 1) / 2)
    ys = (height - 1) / 2 + spacing * (np.arange(rows) - (rows - 1) / 2)
    return np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2).astype(np.float32)
