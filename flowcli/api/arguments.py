"""The arguments of the Python interface, which are the options of the command line."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, TypedDict, cast, get_args

from flowcli.api.checks import flag, moment, number, one_of, parsed, rate, text, whole
from flowcli.errors import UsageError
from flowcli.flow.estimate import Direction
from flowcli.media.pairs import Pairing
from flowcli.media.selection import Selection, parse_selection
from flowcli.model.device import PRECISIONS, choose_device
from flowcli.model.memory_plan import parse_size
from flowcli.model.quality import LARGEST_SCALE, QUALITIES, REFINEMENTS, Effort, is_refiner_file
from flowcli.model.settings import Occlusion, Settings

if TYPE_CHECKING:
    from pathlib import Path

    from raft_core.raft import RAFT


class Options(TypedDict, total=False):
    """The arguments of `Estimator`, which explains them."""

    weights: str | Path | RAFT
    quality: str
    iterations: int | Literal["auto"]
    tolerance: float | None
    refine: str
    direction: Direction
    warm_start: bool
    batch: int | Literal["auto"]
    max_side: int | None
    scale: float | None
    levels: str
    device: str
    precision: str
    memory: str | None
    occlusion_relative: float
    occlusion_absolute: float


class Part(TypedDict, total=False):
    """The arguments of `Estimator.video` beside its source, which explains them."""

    skip: int
    sliding: bool
    sample_fps: float | str | Fraction | None
    pad_last: bool
    reference: int | None
    start: float | str | None
    end: float | str | None
    max_frames: int | None
    fps: float | str | Fraction | None
    deinterlace: bool
    video_stream: int | None


class VideoOptions(Options, Part, total=False):
    """The arguments of `flowcli.video` beside its source."""


def split(options: VideoOptions) -> tuple[Options, Part]:
    """The arguments of the estimator and those of its `video`; any other is left among the former, which refuses it."""
    of_video = {name: value for name, value in options.items() if name in Part.__annotations__}
    others = {name: value for name, value in options.items() if name not in of_video}
    return cast("Options", others), cast("Part", of_video)


@dataclass(frozen=True)
class Frames:
    """The part of a video and the pairs in it that the arguments of `Estimator.video` choose.

    Raises TypeError and ValueError, which name the argument.
    """

    skip: int = 1
    sliding: bool = False
    sample_fps: float | str | Fraction | None = None
    pad_last: bool = False
    reference: int | None = None
    start: float | str | None = None
    end: float | str | None = None
    max_frames: int | None = None
    fps: float | str | Fraction | None = None
    deinterlace: bool = False
    video_stream: int | None = None

    def __post_init__(self) -> None:
        whole("skip", self.skip)
        flag("sliding", self.sliding)
        flag("pad_last", self.pad_last)
        if self.reference is not None:
            whole("reference", self.reference, least=0)
        if self.max_frames is not None:
            whole("max_frames", self.max_frames, least=2)
        flag("deinterlace", self.deinterlace)
        if self.video_stream is not None:
            whole("video_stream", self.video_stream, least=0)

    @property
    def pairing(self) -> Pairing:
        """Which frames make pairs."""
        sample_fps = rate("sample_fps", self.sample_fps)
        return parsed("reference", lambda: Pairing(self.skip, self.sliding, sample_fps, self.pad_last, self.reference))

    @property
    def selection(self) -> Selection:
        """The frames that are selected."""
        start, end = moment("start", self.start), moment("end", self.end)
        return parsed("start and end", lambda: parse_selection(start, end, self.max_frames))

    @property
    def rate(self) -> Fraction | None:
        """The frames per second of a source without times."""
        return rate("fps", self.fps)


def effort_of(
    *,
    quality: str,
    iterations: int | str,
    tolerance: float | None,
    refine: str,
    scale: float | None,
    max_side: int | None,
    precision: str,
) -> Effort:
    """The options that decide error and time; raises TypeError and ValueError, which name the argument."""
    one_of("quality", quality, QUALITIES)
    whole("iterations", iterations, otherwise="auto")
    if tolerance is not None:
        number("tolerance", tolerance)
    if not (isinstance(refine, str) and is_refiner_file(refine)):
        one_of("refine", refine, REFINEMENTS)
    if scale is not None:
        number("scale", scale, most=LARGEST_SCALE)
    if max_side is not None:
        whole("max_side", max_side)
    one_of("precision", precision, ("auto", *PRECISIONS))
    return Effort(quality, str(iterations), tolerance, refine, scale, max_side, precision)


def settings_of(
    direction: Direction, batch: int | str, memory: str | None, occlusion: Occlusion, *, warm_start: bool
) -> Settings:
    """The other settings of the estimator; raises TypeError and ValueError, which name the argument."""
    one_of("direction", direction, get_args(Direction))
    whole("batch", batch, otherwise="auto")
    flag("warm_start", warm_start)
    if memory is not None:
        text("memory", memory)
    return Settings(
        direction=direction,
        warm_start=warm_start,
        batch=None if batch == "auto" else int(batch),
        memory=None if memory is None else parsed("memory", lambda: parse_size(memory)),
        occlusion=occlusion,
    )


def occlusion_of(relative: float, absolute: float) -> Occlusion:
    """The thresholds of occlusion; raises TypeError and ValueError, which name the argument."""
    number("occlusion_relative", relative, zero=True)
    number("occlusion_absolute", absolute, zero=True)
    return Occlusion(relative, absolute)


def device_named(name: str) -> str:
    """The name of a device; raises TypeError and ValueError for what is none, DeviceError where it is not available."""
    if not isinstance(name, str):
        raise TypeError(f"device is auto, cpu, cuda, cuda:N or mps, got {name!r}")
    try:
        choose_device(name)
    except UsageError as error:
        raise ValueError(f"device is auto, cpu, cuda, cuda:N or mps, got {name!r}") from error
    return name
