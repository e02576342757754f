"""The pairs of frames that flow is computed between."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcli.errors import SourceError
from flowcli.media.cuts import number_shots
from flowcli.media.frames import FramePair
from flowcli.system.threads import prefetch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from flowcli.media.frames import Frame


def pairs_of(frames: Iterator[Frame], *, skip: int, sliding: bool = False) -> Iterator[FramePair]:
    """The pairs of a source's frames, with cuts marked; frames are decoded ahead in a thread. See `pair_up`."""
    return pair_up(prefetch(number_shots(frames)), skip=skip, sliding=sliding)


def pair_up(frames: Iterable[Frame], *, skip: int = 1, sliding: bool = False) -> Iterator[FramePair]:
    """Pairs of frames t and t + `skip`; the next pair begins at t + skip, or at t + 1 if `sliding`.

    n frames make (n - 1) // skip pairs, or n - skip if sliding. A pair whose first or second frame is lost is left out.
    At most skip + 1 frames are held.
    """
    waiting: dict[int, Frame] = {}
    previous = None
    for frame in frames:
        first = waiting.pop(frame.index - skip, None)
        if sliding or frame.index % skip == 0:
            waiting = {index: kept for index, kept in waiting.items() if index > frame.index - skip}
            waiting[frame.index] = frame
        if first is not None:
            pair = FramePair(first, frame, continues=follows(first, frame, previous), cut=first.shot != frame.shot)
            yield pair
            previous = pair


def follows(first: Frame, second: Frame, previous: FramePair | None) -> bool:
    """Whether the previous pair's flow can warm-start the pair of `first` and `second`.

    It can where the previous pair reaches `first`, and all four frames are of one shot and one stored size.
    """
    return (
        previous is not None
        and first.index <= previous.second.index
        and previous.first.shot == previous.second.shot == second.shot
        and previous.first.scaled_from == previous.second.scaled_from == second.scaled_from
    )


def expected_pairs(frames: int | None, *, skip: int, sliding: bool = False) -> int | None:
    """The number of pairs of `frames` frames; None where `frames` is None."""
    if frames is None:
        return None
    return max(0, frames - skip if sliding else (frames - 1) // skip)


def too_short(path: Path, *, skip: int) -> SourceError:
    """The error of an input that has too few frames for a pair."""
    return SourceError(
        f"{path} is too short for a pair", hint=f"with --skip {skip} it takes at least {skip + 1} frames"
    )
