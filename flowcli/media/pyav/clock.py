"""Exact frame times, whatever time stamps are missing or wrong."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

_MEMORY = 16
"""Frames after which damage no longer explains a jump in time: decoders reorder by no more."""


class Clock:
    """Gives every decoded frame its index and its time since the first frame, and counts the frames between them.

    `rate` spaces frames that have no time stamp, or one that does not advance; `tick` is the unit of time stamps.
    `origin` is the first frame's own time: known beforehand, or taken from the first frame that is stamped. `lost`
    counts the missing frames.
    """

    def __init__(self, *, rate: Fraction, tick: Fraction, origin: Fraction | None = None) -> None:
        self.origin = origin
        self.lost = 0
        self._interval = 1 / rate
        self._tick = tick
        self._index = -1
        self._time = -self._interval
        self._unplaced = 0
        self._damage_ends = -1
        self._steps = Counter[int]()

    def lose_one(self) -> None:
        """Notes that one frame from about here on is missing."""
        self.lost += 1
        self._unplaced += 1

    def note_damage(self) -> None:
        """Notes that something from about here on is damaged, so that a jump in time means lost frames.

        Without damage a jump is no loss: cameras skip frames, and screen recorders wait for something to change.
        """
        self._damage_ends = self._index + _MEMORY

    @property
    def count(self) -> int:
        """How many frames there were so far, lost ones included."""
        return self._index + 1

    @property
    def missing_in_gaps(self) -> int:
        """How many frames seem to be missing where nothing is known to be damaged.

        Few gaps of several frames' length among frames that are otherwise evenly spaced: a loss rather than a variable
        rate, but no more than a guess.
        """
        gaps = {step: count for step, count in self._steps.items() if step > 1}
        if self._steps[0] or 10 * sum(gaps.values()) > self._steps[1]:
            return 0
        return sum((step - 1) * count for step, count in gaps.items())

    def lose_until(self, end: Fraction) -> None:
        """Counts what a container promised up to `end`, by its own clock, as missing."""
        missing = round((end - (self.origin or 0) - self._time) / self._interval) - 1
        if missing > 1:  # the length of the last frame is often a guess
            self.lost = max(self.lost, missing)

    def stamp(self, pts: int | None) -> tuple[int, Fraction]:
        """The index and time of the next frame.

        A lost frame leaves its hole in the indices where the times jump: decoders report it before or after
        neighbours that they reorder.
        """
        time = None if pts is None else pts * self._tick
        if self.origin is None:
            self.origin = time or Fraction(0)
        if time is None or time - self.origin <= self._time:
            hole = self._unplaced
            time = self._time + (1 + hole) * self._interval
        else:
            time -= self.origin
            hole = self._hole_before(time)
            if not hole and self._index >= 0:
                self._steps[self._whole_steps(time - self._time)] += 1
        self._unplaced -= min(hole, self._unplaced)
        self._index, self._time = self._index + 1 + hole, time
        return self._index, self._time

    def _whole_steps(self, length: Fraction) -> int:
        steps = round(length / self._interval)
        return steps if abs(length - steps * self._interval) < self._interval / 8 else 0

    def _hole_before(self, time: Fraction) -> int:
        jump = max(0, round((time - self._time) / self._interval) - 1)
        if self._index < 0 or self._index > self._damage_ends:
            return min(jump, self._unplaced)
        self.lost += max(0, jump - self._unplaced)
        return jump
