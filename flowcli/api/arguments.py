"""The arguments of the Python interface, which are the options of the command line, and their checks."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, cast, get_args

from flowcli.errors import UsageError
from flowcli.flow.estimate import Direction
from flowcli.media.pairs import Pairing
from flowcli.media.selection import MAX_RATE, Selection, parse_rate, parse_selection
from flowcli.model.device import PRECISIONS, choose_device
from flowcli.model.memory_plan import parse_size
from flowcli.model.quality import LARGEST_SCALE, QUALITIES, REFINEMENTS, Effort, is_refiner_file
from flowcli.model.settings import Occlusion, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from raft_core.raft import RAFT

Parsed = TypeVar("Parsed")


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


def parsed(name: str, parse: Callable[[], Parsed]) -> Parsed:
    """What a parser of the command line returns; its UsageError becomes a ValueError that names the argument."""
    try:
        return parse()
    except UsageError as error:
        raise ValueError(f"{name}: {error}; {error.hint}") from error


def text(name: str, value: object) -> None:
    """Raises TypeError where a value is no text."""
    if not isinstance(value, str):
        raise TypeError(f"{name} is a text, as on the command line, got {value!r}")


def one_of(name: str, value: object, allowed: Collection[str]) -> None:
    """Raises TypeError where a value is no text, ValueError where it is not allowed."""
    if not isinstance(value, str):
        raise TypeError(f"{name} is one of {', '.join(allowed)}, got {value!r}")
    if value not in allowed:
        raise ValueError(f"{name} is one of {', '.join(allowed)}, got {value!r}")


def whole(name: str, value: object, *, least: int = 1, otherwise: str = "") -> None:
    """Raises TypeError where a value is no whole number, ValueError where it is less than `least`.

    `otherwise` is a text that is allowed, too.
    """
    expected = f"{name} is a whole number of at least {least}" + f" or {otherwise!r}" * bool(otherwise)
    if isinstance(value, str) and otherwise:
        if value != otherwise:
            raise ValueError(f"{expected}, got {value!r}")
    elif isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{expected}, got {value!r}")
    elif int(value) < least:
        raise ValueError(f"{expected}, got {value}")


def number(name: str, value: object, *, most: float = math.inf, zero: bool = False) -> None:
    """Raises TypeError where a value is no number, ValueError where it is not above 0, or 0 if `zero`, up to `most`."""
    least = "of at least 0" if zero else "above 0"
    expected = f"{name} is a number {least}" + f" and at most {most:g}" * (most < math.inf)
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{expected}, got {value!r}")
    if not 0 <= float(value) <= most or value == math.inf or (value == 0 and not zero):
        raise ValueError(f"{expected}, got {value}")


def flag(name: str, value: object) -> None:
    """Raises TypeError where a value is neither true nor false."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} is True or False, got {value!r}")


def rate(name: str, value: Any) -> Fraction | None:
    """Frames per second, as a number or as text such as 30000/1001; raises TypeError and ValueError."""
    if value is None:
        return None
    if isinstance(value, str):
        return parsed(name, lambda: parse_rate(value, "the text"))
    number(name, value, most=MAX_RATE)
    return Fraction(value).limit_denominator(1_000_000)


def moment(name: str, value: object) -> str | None:
    """A point of a video as text: seconds given as a number, or as the command line has it."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} is seconds, or text such as '1:02.5' or '#120', got {value!r}")
    if not 0 <= float(value) < math.inf:
        raise ValueError(f"{name} is at least 0 s, got {value}")
    return f"{float(value):.6f}"
