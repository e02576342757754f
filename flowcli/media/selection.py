"""The part of a source that --start, --end and --max-frames select."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from flowcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from flowcli.media.frames import Frame


MAX_RATE = 1_000_000
"""The most frames per second, more than high-speed cameras take."""


@dataclass(frozen=True)
class Moment:
    """A point of a source: the frame with index `frame`, from 0, or `seconds` after the first frame."""

    frame: int | None = None
    seconds: Fraction | None = None

    def reached(self, index: int, time: Fraction) -> bool:
        """Whether the frame with this index and time is at or after this point."""
        if self.frame is not None:
            return index >= self.frame
        return self.seconds is None or time >= self.seconds

    def __str__(self) -> str:
        return f"#{self.frame}" if self.frame is not None else f"{float(self.seconds or 0):g}"


@dataclass(frozen=True)
class Selection:
    """The frames from `start` up to but without `end`, at most `max_frames` of them."""

    start: Moment = field(default_factory=lambda: Moment(frame=0))
    end: Moment | None = None
    max_frames: int | None = None

    @property
    def from_first(self) -> bool:
        """Whether it begins with the first frame of the source."""
        return self.start.reached(0, Fraction(0))

    def ended(self, index: int, time: Fraction, *, taken: int) -> bool:
        """Whether the frame with this index and time is after the selection, `taken` of whose frames came before it."""
        return (self.end is not None and self.end.reached(index, time)) or (
            self.max_frames is not None and taken >= self.max_frames
        )

    def count_of(self, frames: int | None, rate: Fraction) -> int | None:
        """The number of selected frames of a source of `frames` frames, `rate` per second; None where it is unknown."""
        start = _first_at(self.start, rate)
        ends = (frames, None if self.end is None else _first_at(self.end, rate))
        counts = [max(0, end - start) for end in ends if end is not None]
        return min([*counts, *([] if self.max_frames is None else [self.max_frames])], default=None)

    def range_of(self, frames: int, rate: Fraction) -> range:
        """The indices of the selected frames of a source of `frames` frames, exactly `rate` per second."""
        start = _first_at(self.start, rate)
        return range(start, start + (self.count_of(frames, rate) or 0))


EVERYTHING = Selection()


def selected(frames: Iterable[Frame], selection: Selection) -> Iterator[Frame]:
    """The selected frames among all `frames` of a source."""
    first: int | None = None
    for frame in frames:
        if first is None:
            if not selection.start.reached(frame.index, frame.time):
                continue
            first = frame.index
        if selection.ended(frame.index, frame.time, taken=frame.index - first):
            return
        yield frame


def renumbered(frames: Iterable[Frame], *, sought: bool = False, skipped: int | None = None) -> Iterator[Frame]:
    """The same frames, with indices and times that count from the first of them.

    Its index is that in the source, unless frames were `sought`: then `skipped` frames come before it, None if unknown.
    """
    first: Frame | None = None
    for frame in frames:
        first = first or frame
        yield replace(
            frame,
            index=frame.index - first.index,
            time=frame.time - first.time,
            skipped=skipped if sought else first.index,
            start=first.time,
        )


def nothing_selected(path: Path, selection: Selection) -> UsageError:
    """The error of a selection that holds no frame of a source."""
    if selection.end is None:
        return UsageError(f"{path} ends before --start {selection.start}", hint="choose an earlier --start")
    return UsageError(
        f"{path} has no frame from {selection.start} to {selection.end}",
        hint="choose an earlier --start or a later --end",
    )


def parse_selection(start: str | None, end: str | None, max_frames: int | None) -> Selection:
    """The selection of --start, --end and --max-frames; raises UsageError where they are malformed or contradict."""
    first = parse_moment(start or "#0", "--start")
    last = None if end is None else parse_moment(end, "--end")
    if last is not None:
        frames = (first.frame, last.frame)
        seconds = (first.seconds, last.seconds)
        for a, b in (frames, seconds):
            if a is not None and b is not None and a >= b:
                raise UsageError(f"--end {end} is not after --start {start or '#0'}", hint="choose a later --end")
    return Selection(first, last, max_frames)


def parse_moment(text: str, option: str) -> Moment:
    """The moment that `12.5` (seconds), `mm:ss.s`, `hh:mm:ss` or `#120` (a frame index, from 0) stands for.

    Raises UsageError, which names `option`, for any other text.
    """
    if re.fullmatch(r"#\d{1,12}", text):
        return Moment(frame=int(text[1:]))
    match = re.fullmatch(r"(?:(?:(\d{1,9}):)?(\d{1,9}):)?(\d{1,12}(?:\.\d*)?|\.\d+)", text)
    hours, minutes, seconds = match.groups("") if match else ("", "", "")
    if not match or (minutes and float(seconds) >= 60) or (hours and int(minutes) >= 60):
        raise UsageError(f"{option} {text} is not a time", hint="write 12.5, 1:02.5, 1:02:03 or #120, a frame number")
    return Moment(seconds=int(hours or 0) * 3600 + int(minutes or 0) * 60 + Fraction(seconds))


def parse_rate(text: str | None, option: str = "--fps") -> Fraction | None:
    """The exact frames per second that `30`, `23.976` or `24000/1001` stands for.

    Raises UsageError, which names `option`, for any other text, and for a rate above MAX_RATE.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)(?:/(\d{1,9}))?", text)
    divisor = int(match[2] or 1) if match else 0
    rate = Fraction(match[1]) / divisor if match and divisor else Fraction(0)
    if not 0 < rate <= MAX_RATE:
        limit = f"at most {MAX_RATE:,} are possible" if rate else "write 30, 29.97 or 30000/1001"
        raise UsageError(f"{option} {text} is not a frame rate", hint=limit)
    return rate


def _first_at(moment: Moment, rate: Fraction) -> int:
    """The index of the first frame at or after a moment, where frames are 1 / rate apart."""
    if moment.frame is not None:
        return moment.frame
    return math.ceil((moment.seconds or Fraction(0)) * rate)
