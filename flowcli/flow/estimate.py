"""The estimated flow of one pair of frames."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from flowcli.flow.camera_motion import camera_motion
from flowcli.media.frames import FramePair

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    import numpy as np
    from jaxtyping import Bool, Float
    from numpy.typing import NDArray
    from torch import Tensor

    from flowcli.flow.colour import ColourScale
    from flowcli.media.frames import Frame

Direction = Literal["forward", "backward", "both"]


@dataclass(frozen=True, eq=False)
class Estimate:
    """The flow of one pair, on the device until it is read as NumPy.

    `forward` (2, height, width) is the displacement first → second in source pixels on the first frame's grid,
    channel 0 right, channel 1 down. `backward` is second → first on the second frame's grid; at least one of them is
    given. `occluded` (height, width) marks pixels of the first frame whose flow leaves the frame or is not confirmed by
    the backward flow; most of the latter are hidden in the second frame. `iterations` counts updates; `warm` says
    whether they started from an earlier pair's flow, `half_size` whether a look at half the size was enough. `scale` is
    this pair's own colour scale, None where the run has one for all. A `repeated` estimate has the flow of the pair
    before, for a frame that begins none.
    """

    pair: FramePair
    forward: Float[Tensor, "2 height width"] | None
    iterations: int
    warm: bool
    backward: Float[Tensor, "2 height width"] | None = None
    occluded: Bool[Tensor, "height width"] | None = None
    scale: ColourScale | None = None
    repeated: bool = False
    half_size: bool = False

    @cached_property
    def flow(self) -> NDArray[np.float32]:
        """Forward flow, or backward flow without it, as (height, width, 2) float32 on the CPU, in source pixels."""
        return as_array(self.backward if self.forward is None else self.forward)

    @cached_property
    def own_flow(self) -> NDArray[np.float32]:
        """`flow` without the motion of the camera."""
        return self.flow - camera_motion(self.flow)

    def shown(self, *, stabilise: bool) -> NDArray[np.float32]:
        """The flow that pictures show: `own_flow` if `stabilise`, else `flow`."""
        return self.own_flow if stabilise else self.flow

    @cached_property
    def finite(self) -> bool:
        """Whether the flow is finite at every pixel."""
        flows = [flow for flow in (self.forward, self.backward) if flow is not None]
        return all(bool(flow.isfinite().all()) for flow in flows)

    @property
    def start(self) -> Frame:
        """The frame on whose grid `flow` lies."""
        return self.pair.second if self.forward is None else self.pair.first

    @property
    def end(self) -> Frame:
        """The frame that `flow` leads to."""
        return self.pair.first if self.forward is None else self.pair.second

    @cached_property
    def occlusion(self) -> NDArray[np.bool_] | None:
        """`occluded` as a NumPy array (height, width); None where it is unknown."""
        return None if self.occluded is None else self.occluded.cpu().numpy()


def with_repeated(estimates: Iterable[Estimate]) -> Iterator[Estimate]:
    """The same estimates, the flow of each also for the frames that its pair names; see `Pairing.pad_last`."""
    for estimate in estimates:
        yield estimate
        for frame in estimate.pair.repeated_for:
            yield replace(estimate, pair=FramePair(frame, frame, continues=False), repeated=True)


def as_array(flow: Float[Tensor, "2 height width"] | None) -> NDArray[np.float32]:
    """Flow as a NumPy array (height, width, 2) float32; raises ValueError for None."""
    if flow is None:
        raise ValueError("this estimate has neither forward nor backward flow")
    return flow.float().permute(1, 2, 0).contiguous().cpu().numpy()


@dataclass(frozen=True, slots=True)
class Stamp:
    """The record of a pair in reports: its frames, their times in seconds, and how its flow was computed.

    Frames and times count from the first selected frame, those of the `source` from its very first. `image` is a
    frame's file, if it has one, and `name` what outputs are called after it. A `repeated` flow is of the pair before.
    With `reference`, outputs belong to the second frame, else to the first; see `FramePair.own`.
    """

    first: int
    second: int
    time: Fraction
    second_time: Fraction
    source_first: int | None
    source_second: int | None
    source_time: Fraction
    source_second_time: Fraction
    image: str | None
    second_image: str | None
    name: str | None
    repeated: bool
    reference: bool
    iterations: int
    warm: bool
    cut: bool
    finite: bool
    half_size: bool = False

    @classmethod
    def of(cls, estimate: Estimate) -> Stamp:
        """The record of an estimate."""
        first, second = estimate.pair.first, estimate.pair.second
        return cls(
            first=first.index,
            second=second.index,
            time=first.time,
            second_time=second.time,
            source_first=first.source_index,
            source_second=second.source_index,
            source_time=first.source_time,
            source_second_time=second.source_time,
            image=_absolute(first.path),
            second_image=_absolute(second.path),
            name=estimate.pair.own.name,
            repeated=estimate.repeated,
            reference=estimate.pair.reference,
            iterations=estimate.iterations,
            warm=estimate.warm,
            cut=estimate.pair.cut,
            finite=estimate.finite,
            half_size=estimate.half_size,
        )

    @property
    def own_time(self) -> Fraction:
        """The time of the frame to which outputs belong."""
        return self.second_time if self.reference else self.time

    @property
    def own_index(self) -> int:
        """The index of the frame to which outputs belong."""
        return self.second if self.reference else self.first

    @property
    def own_source_index(self) -> int | None:
        """Its number in the source; None where it is unknown."""
        return self.source_second if self.reference else self.source_first

    def stem(self, names: str) -> str | None:
        """The name of the pair's files by one of NAMES; None where it is a number in the source, which is unknown."""
        if names == "source" and self.name is not None:
            return self.name
        number = self.own_index if names == "index" else self.own_source_index
        return None if number is None else f"{number:06d}"

    def record(self) -> dict[str, object]:
        """The fields for JSON, times as exact fractions in strings."""
        return {**asdict(self), **{name: str(getattr(self, name)) for name in _TIMES}}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Stamp:
        """The inverse of `record`."""
        return cls(**{**record, **{name: Fraction(record[name]) for name in _TIMES}})


_TIMES = ("time", "second_time", "source_time", "source_second_time")


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())
