"""Seeking that yields the same frames as a full pass over a video."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from flowcli.media.decoding import USUAL
from flowcli.media.pyav import VideoReader
from flowcli.media.selection import Moment

if TYPE_CHECKING:
    from pathlib import Path

    from flowcli.media.decoding import Decoding
    from flowcli.media.selection import Selection

# Seconds before the start of a selection to seek to, tried in turn until decoding begins at a key frame before it.
_SECONDS_BACK = (0, 1, 4, 16, 64)


def seek_point(
    path: Path, selection: Selection, *, origin: Fraction | None, decoding: Decoding = USUAL
) -> tuple[Selection, Fraction | None]:
    """The same selection by time, and the time to seek to; (`selection`, None) where only a full pass finds its frames.

    `origin` is the first frame's timestamp in seconds, as in VideoReader.
    """
    by_time = selection_by_time(path, selection, origin=origin, decoding=decoding)
    start = by_time.start.seconds if by_time else None
    if by_time is None or start is None:
        return selection, None
    for back in _SECONDS_BACK:
        target = start - back
        if target <= 0:
            break
        with VideoReader(path, origin=origin, decoding=decoding) as reader:
            reader.seek(target)
            key_frame = reader.next_key_frame()
        if key_frame is not None and 0 < key_frame <= start:
            return by_time, target
    return selection, None


def frames_before(time: Fraction, path: Path, *, origin: Fraction | None, decoding: Decoding) -> int | None:
    """The number of frames before the one at `time`, read from the packets; None where they do not determine it."""
    with VideoReader(path, origin=origin, decoding=decoding) as reader:
        return next((index for index, other in enumerate(reader.frame_times()) if other >= time), None)


def selection_by_time(
    path: Path, selection: Selection, *, origin: Fraction | None, decoding: Decoding = USUAL
) -> Selection | None:
    """The selection by times instead of frame indices, read from the packets; None where they do not determine it."""
    with VideoReader(path, origin=origin, decoding=decoding) as reader:
        if not reader.seekable:
            return None
        moments = (selection.start, selection.end)
        if not reader.clock_may_jump and all(moment is None or moment.frame is None for moment in moments):
            return selection
        found: dict[Moment, Moment] = {}
        missing = {moment for moment in moments if moment is not None}
        for index, time in enumerate(reader.frame_times()):
            reached = {moment for moment in missing if moment.reached(index, time)}
            found |= dict.fromkeys(reached, Moment(seconds=time))
            missing -= reached
            if not missing:
                end = None if selection.end is None else found[selection.end]
                return replace(selection, start=found[selection.start], end=end)
    return None
