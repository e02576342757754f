"""From where to decode, so that frames from the middle of a video are those of a full pass over it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from flowcli.media.pyav import VideoReader
from flowcli.media.selection import Moment

if TYPE_CHECKING:
    from pathlib import Path

    from flowcli.media.selection import Selection

# Seconds before the start at which a key frame is looked for, until one is found that the file really leads to.
_STEPS_BACK = (0, 1, 4, 16, 64)


def approach(path: Path, wanted: Selection, *, origin: Fraction | None) -> tuple[Selection, Fraction | None]:
    """The same frames chosen by time, and a time to seek to; (`wanted`, None) where only a full pass tells them apart.

    `origin` is the first frame's own time, as in VideoReader.
    """
    by_time = timed(path, wanted, origin=origin)
    start = by_time.start.seconds if by_time else None
    if by_time is None or start is None:
        return wanted, None
    for back in _STEPS_BACK:
        place = start - back
        if place <= 0:
            break
        with VideoReader(path, origin=origin) as reader:
            reader.seek(place)
            key_frame = reader.next_key_frame()
        if key_frame is not None and 0 < key_frame <= start:
            return by_time, place
    return wanted, None


def timed(path: Path, wanted: Selection, *, origin: Fraction | None) -> Selection | None:
    """The selection without frame numbers, read off the packets; None where they do not tell."""
    with VideoReader(path, origin=origin) as reader:
        if not reader.seekable:
            return None
        moments = (wanted.start, wanted.end)
        if not reader.clock_may_jump and all(moment is None or moment.frame is None for moment in moments):
            return wanted
        found: dict[Moment, Moment] = {}
        missing = {moment for moment in moments if moment is not None}
        for index, time in enumerate(reader.frame_times()):
            reached = {moment for moment in missing if moment.reached(index, time)}
            found |= dict.fromkeys(reached, Moment(seconds=time))
            missing -= reached
            if not missing:
                end = None if wanted.end is None else found[wanted.end]
                return replace(wanted, start=found[wanted.start], end=end)
    return None
