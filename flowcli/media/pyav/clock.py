"""Exact frame times from timestamps that may be missing or wrong."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

_DAMAGE_REACH = 16
"""Number of frames within which damage explains a jump in time: decoders reorder by no more."""


class Clock:
    """Gives every decoded frame its index and its time in seconds since the first frame, and counts lost frames.

    A frame without timestamp, or with one that does not advance, follows the previous one by 1 / `rate`; `tick` is the
    unit of timestamps in seconds. `origin` is the first frame's timestamp in seconds: given, or taken from the first
    frame that is stamped. `lost` counts the lost frames.
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

    def count_lost_frame(self) -> None:
        """Counts one lost frame near the current one."""
        self.lost += 1
        self._unplaced += 1

    def note_damage(self) -> None:
        """Records damage near the current frame, so that a jump in time means lost frames.

        Without damage a jump is no loss: cameras skip frames, and screen recorders wait for changes.
        """
        self._damage_ends = self._index + _DAMAGE_REACH

    @property
    def count(self) -> int:
        """The number of frames so far, including lost ones that left a gap in the indices."""
        return self._index + 1

    @property
    def missing_in_gaps(self) -> int:
        """An estimate of the frames that are missing where no damage is known.

        A few gaps among frames that are otherwise evenly spaced suggest a loss rather than a variable rate.
        """
        gaps = {step: count for step, count in self._steps.items() if step > 1}
        if self._steps[0] or 10 * sum(gaps.values()) > self._steps[1]:
            return 0
        return sum((step - 1) * count for step, count in gaps.items())

    def count_lost_until(self, end: Fraction) -> None:
        """Counts the frames between the latest one and `end`, in seconds of the stream's timestamps, as lost."""
        missing = round((end - (self.origin or 0) - self._time) / self._interval) - 1
        if missing > 1:  # containers often estimate the last frame's duration
            self.lost = max(self.lost, missing)

    def stamp(self, pts: int | None) -> tuple[int, Fraction]:
        """The index and time of the next frame; `pts` is its timestamp in ticks, or None.

        A lost frame leaves a gap in the indices where the times jump: because decoders reorder frames, they report the
        loss earlier or later than that.
        """
        time = None if pts is None else pts * self._tick
        if self.origin is None:
            self.origin = time or Fraction(0)
        if time is None or time - self.origin <= self._time:
            gap = self._unplaced
            time = self._time + (1 + gap) * self._interval
        else:
            time -= self.origin
            gap = self._gap_before(time)
            if not gap and self._index >= 0:
                self._steps[self._whole_steps(time - self._time)] += 1
        self._unplaced -= min(gap, self._unplaced)
        self._index, self._time = self._index + 1 + gap, time
        return self._index, self._time

    def _whole_steps(self, length: Fraction) -> int:
        steps = round(length / self._interval)
        return steps if abs(length - steps * self._interval) < self._interval / 8 else 0

    def _gap_before(self, time: Fraction) -> int:
        jump = max(0, round((time - self._time) / self._interval) - 1)
        if self._index < 0 or self._index > self._damage_ends:
            return min(jump, self._unplaced)
        self.lost += max(0, jump - self._unplaced)
        return jump
