"""The pairs of frames that flow is computed between."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING

from flowcli.errors import SourceError, UsageError
from flowcli.media.cuts import number_shots
from flowcli.media.frames import FramePair
from flowcli.system.threads import prefetch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import Protocol

    from flowcli.media.frames import Frame

    class Counted(Protocol):
        """What is known of a source before its frames."""

        @property
        def frame_count(self) -> int | None:
            """The number of frames, or None."""

        @property
        def rate(self) -> Fraction:
            """Frames per second."""

    class Frames(Protocol):
        """A source of frames."""

        def frames(self) -> Iterator[Frame]:
            """The selected frames in order."""


@dataclass(frozen=True)
class Pairing:
    """Which frames of a source make pairs.

    A pair is of the frames t and t + `skip`; the next pair begins at t + skip, or at t + 1 if `sliding`. With
    `sample_fps`, all that counts the frames nearest to the multiples of 1 / `sample_fps` seconds, of which one that no
    frame is near to counts as lost. With `pad_last`, frames that would begin a pair after the end repeat the last flow.
    With `reference`, the pairs are of the frame with this index and every other one, in order.
    """

    skip: int = 1
    sliding: bool = False
    sample_fps: Fraction | None = None
    pad_last: bool = False
    reference: int | None = None

    def __post_init__(self) -> None:
        others = {
            "--skip": self.skip != 1,
            "--sliding": self.sliding,
            "--sample-fps": self.sample_fps is not None,
            "--pad-last": self.pad_last,
        }
        if self.reference is not None and any(others.values()):
            option = next(name for name, given in others.items() if given)
            raise UsageError(f"--reference cannot be combined with {option}", hint="leave one of them out")

    def pairs_of(self, source: Counted) -> int | None:
        """The number of pairs of a source without lost frames; None where its number of frames is unknown."""
        count = source.frame_count
        if count is None:
            return None
        if self.sample_fps is not None and count:
            if self.sample_fps > source.rate:
                step = self.sample_fps / source.rate
                places = {math.floor(number * step + Fraction(1, 2)) for number in range(count)}
                begins = (place for place in places if self.sliding or place % self.skip == 0)
                return sum(place + self.skip in places for place in begins)
            count = math.floor((count - Fraction(1, 2)) / source.rate * self.sample_fps) + 1
        return max(0, count - self.skip if self.sliding else (count - 1) // self.skip)

    def flows_of(self, source: Counted) -> int | None:
        """The number of flows, those of `pad_last` included; None where it is unknown."""
        pairs = self.pairs_of(source)
        return pairs + (self.skip if self.sliding else 1) if pairs and self.pad_last else pairs

    def rate_of(self, source: Counted) -> Fraction:
        """Flows per second."""
        return (self.sample_fps or source.rate) / (1 if self.sliding else self.skip)

    def frames_apart(self, source: Counted) -> int:
        """How many frames of the source the two of a pair are apart, on average."""
        if self.reference is not None:
            return max(1, (source.frame_count or 0) // 2)
        return max(1, round(self.skip * source.rate / (self.sample_fps or source.rate)))

    def too_short(self, path: Path) -> SourceError:
        """The error of an input that has too few frames for a pair."""
        if self.sample_fps is not None:
            return SourceError(
                f"{path} has no two frames that are {float(self.skip / self.sample_fps):g} s apart",
                hint="it is too short, or has fewer frames per second than --sample-fps",
            )
        return SourceError(
            f"{path} is too short for a pair", hint=f"with --skip {self.skip} it takes at least {self.skip + 1} frames"
        )


NEIGHBOURS = Pairing()
"""Every frame and the next."""


def pairs_of(frames: Iterator[Frame], pairing: Pairing = NEIGHBOURS) -> Iterator[FramePair]:
    """The pairs of a source's frames, with cuts marked; frames are decoded ahead in a thread. See `pair_up`."""
    return pair_up(prefetch(number_shots(frames)), pairing)


def pairs_in(source: Frames, pairing: Pairing) -> Iterator[FramePair]:
    """The pairs of a source, which is read twice for a reference; raises UsageError where it lacks that frame."""
    if pairing.reference is None:
        return pairs_of(source.frames(), pairing)
    with closing(number_shots(source.frames())) as frames:
        reference = next((frame for frame in frames if frame.index == pairing.reference), None)
    if reference is None:
        raise no_frame(pairing.reference)
    return pairs_from(reference, prefetch(number_shots(source.frames())))


def pairs_of_stream(frames: Iterator[Frame], pairing: Pairing) -> Iterator[FramePair]:
    """The pairs of frames that can be read once, in the caller's thread; holds those before a reference.

    Raises UsageError where that frame is missing.
    """
    frames = number_shots(frames)
    if pairing.reference is None:
        return pair_up(frames, pairing)
    before: list[Frame] = []
    for frame in frames:
        if frame.index == pairing.reference:
            return pairs_from(frame, chain(before, [frame], frames))
        before.append(frame)
    raise no_frame(pairing.reference)


def no_frame(reference: int) -> UsageError:
    """The error of a reference that is missing."""
    hint = "give the number of a frame that can be read, from 0 at --start"
    return UsageError(f"--reference {reference} is not a frame of the input", hint=hint)


def pairs_from(reference: Frame, frames: Iterable[Frame]) -> Iterator[FramePair]:
    """The pairs of the reference and every other frame.

    Flow from the reference to one frame can warm-start that to the next, on the same side of the reference.
    """
    previous: Frame | None = None
    for frame in frames:
        if frame.index == reference.index:
            previous = None
            continue
        near = previous is not None and reference.shot == previous.shot == frame.shot
        continues = near and previous is not None and previous.scaled_from == frame.scaled_from
        yield FramePair(reference, frame, continues=continues, cut=reference.shot != frame.shot, reference=True)
        previous = frame


def pair_up(frames: Iterable[Frame], pairing: Pairing = NEIGHBOURS) -> Iterator[FramePair]:
    """The pairs of frames; one whose first or second frame is lost is left out.

    At most skip + 1 frames are held, and the two of the latest pair.
    """
    skip = pairing.skip
    waiting: dict[int, Frame] = {}
    previous = None
    for place, frame in _placed(frames, pairing.sample_fps):
        first = waiting.pop(place - skip, None)
        if pairing.sliding or place % skip == 0:
            waiting = {earlier: kept for earlier, kept in waiting.items() if earlier > place - skip}
            waiting[place] = frame
        if first is not None:
            pair = FramePair(first, frame, continues=follows(first, frame, previous), cut=first.shot != frame.shot)
            if not pairing.pad_last:
                yield pair
            elif previous is not None:
                yield previous
            previous = pair
    if pairing.pad_last and previous is not None:
        yield replace(previous, repeated_for=tuple(waiting.values()))


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


def _placed(frames: Iterable[Frame], sample_fps: Fraction | None) -> Iterator[tuple[int, Frame]]:
    """Every frame with its index, or every sampled one with the number of its multiple of 1 / `sample_fps` seconds."""
    if sample_fps is None:
        yield from ((frame.index, frame) for frame in frames)
        return
    nearest: tuple[int, Frame] | None = None
    interval = latest = Fraction(0)
    for frame in frames:
        place = math.floor(frame.time * sample_fps + Fraction(1, 2))
        if nearest is not None and nearest[0] != place:
            yield nearest
            nearest = None
        if nearest is None or abs(frame.time * sample_fps - place) < abs(nearest[1].time * sample_fps - place):
            nearest = place, frame
        interval, latest = frame.time - latest, frame.time
    # The frame after the last one would be nearer to a multiple beyond the middle between both.
    if nearest is not None and nearest[0] / sample_fps - nearest[1].time <= interval / 2:
        yield nearest
