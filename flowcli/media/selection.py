"""Which part of a source is wanted."""

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


@dataclass(frozen=True)
class Moment:
    """A point of a source: its frame number `frame` from 0, or `seconds` after its first frame."""

    frame: int | None = None
    seconds: Fraction | None = None

    def reached(self, index: int, time: Fraction) -> bool:
        """Whether a frame lies at or after this point."""
        if self.frame is not None:
            return index >= self.frame
        return self.seconds is None or time >= self.seconds

    def __str__(self) -> str:
        return f"#{self.frame}" if self.frame is not None else f"{float(self.seconds or 0):g}"


@dataclass(frozen=True)
class Selection:
    """The frames from `start` on and before `end`, and of those no more than `max_frames`."""

    start: Moment = field(default_factory=lambda: Moment(frame=0))
    end: Moment | None = None
    max_frames: int | None = None

    @property
    def from_first(self) -> bool:
        """Whether it begins with the first frame there is."""
        return self.start.reached(0, Fraction(0))

    def ended(self, index: int, time: Fraction, *, taken: int) -> bool:
        """Whether a frame lies behind the selection, of which `taken` frames have come before."""
        return (self.end is not None and self.end.reached(index, time)) or (
            self.max_frames is not None and taken >= self.max_frames
        )

    def count_of(self, frames: int | None, rate: Fraction) -> int | None:
        """How many frames it has of so many; None where that is unknown. Times are taken to be `rate` apart."""
        start = _first_at(self.start, rate)
        ends = (frames, None if self.end is None else _first_at(self.end, rate))
        counts = [max(0, end - start) for end in ends if end is not None]
        return min([*counts, *([] if self.max_frames is None else [self.max_frames])], default=None)

    def range_of(self, frames: int, rate: Fraction) -> range:
        """The numbers of its frames, of so many that are exactly `rate` apart."""
        start = _first_at(self.start, rate)
        return range(start, start + (self.count_of(frames, rate) or 0))


EVERYTHING = Selection()


def selected(frames: Iterable[Frame], wanted: Selection) -> Iterator[Frame]:
    """Those of all frames of a source that are in a selection."""
    first: int | None = None
    for frame in frames:
        if first is None:
            if not wanted.start.reached(frame.index, frame.time):
                continue
            first = frame.index
        if wanted.ended(frame.index, frame.time, taken=frame.index - first):
            return
        yield frame


def renumbered(frames: Iterable[Frame]) -> Iterator[Frame]:
    """The same frames, counted and timed from the first of them."""
    first: Frame | None = None
    for frame in frames:
        first = first or frame
        yield replace(frame, index=frame.index - first.index, time=frame.time - first.time)


def nothing_selected(path: Path, selection: Selection) -> UsageError:
    """The error where a source has no frame in a selection."""
    if selection.end is None:
        return UsageError(f"{path} ends before --start {selection.start}", hint="choose an earlier --start")
    return UsageError(
        f"{path} has no frame from {selection.start} to {selection.end}",
        hint="choose an earlier --start or a later --end",
    )


def parse_selection(start: str | None, end: str | None, max_frames: int | None) -> Selection:
    """What --start, --end and --max-frames say; raises UsageError where they contradict each other."""
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
    """A moment from `12.5` (seconds), `mm:ss.s`, `hh:mm:ss` or `#120` (the frame of that number, from 0)."""
    if re.fullmatch(r"#\d{1,12}", text):
        return Moment(frame=int(text[1:]))
    match = re.fullmatch(r"(?:(?:(\d{1,9}):)?(\d{1,9}):)?(\d{1,12}(?:\.\d*)?|\.\d+)", text)
    hours, minutes, seconds = match.groups("") if match else ("", "", "")
    if not match or (minutes and float(seconds) >= 60) or (hours and int(minutes) >= 60):
        raise UsageError(f"{option} {text} is no moment", hint="write 12.5, 1:02.5, 1:02:03 or #120, a frame number")
    return Moment(seconds=int(hours or 0) * 3600 + int(minutes or 0) * 60 + Fraction(seconds))


def parse_rate(text: str | None) -> Fraction | None:
    """Frames per second, exactly, from what --fps says: `30`, `23.976` or `24000/1001`."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)(?:/(\d{1,9}))?", text)
    parts = int(match[2] or 1) if match else 0
    rate = Fraction(match[1]) / parts if match and parts else Fraction(0)
    if not 0 < rate <= 1000:
        raise UsageError(f"--fps {text} is no rate of frames", hint="write 30, 29.97 or 30000/1001")
    return rate


def _first_at(moment: Moment, rate: Fraction) -> int:
    """The number of the first frame at or after a moment, where frames are 1 / rate apart."""
    if moment.frame is not None:
        return moment.frame
    return math.ceil((moment.seconds or Fraction(0)) * rate)
