"""Exact frame times from timestamps that may be missing or wrong."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

_DAMAGE_REACH = 16
"""Number of frames within which damage explains a jump in time: decoders reorder by no more."""
LONGEST_STEP = Fraction(10)
"""Seconds between two frames above which a clock that may jump has jumped, as in `ffmpeg -dts_delta_threshold`."""
_FURTHEST_BACK = Fraction(1)
"""Seconds above which a step back in time is a restart of any clock; a smaller one may be a wrong timestamp."""


class Clock:
    """Gives every decoded frame its index and its time in seconds since the first frame, and counts lost frames.

    A frame without timestamp follows the previous one by 1 / `rate`, and one whose timestamp does not advance by one
    `tick`, the unit of timestamps in seconds, so that the frames after it keep their times. In a stream of `shared`
    timestamps several frames have the same one, and follow one another by 1 / `rate`. A clock that `jumps` may restart
    or jump, as in joined broadcasts: the frames from there on are a new stretch, which continues by 1 / `rate`.
    `origin` is the first frame's timestamp in seconds: given, or taken from the first frame that is stamped. `lost`
    counts the lost frames, `restarts` are the times at which new stretches begin, and `damaged` those of frames that
    the decoder had to repair.
    """

    def __init__(
        self,
        *,
        rate: Fraction,
        tick: Fraction,
        origin: Fraction | None = None,
        jumps: bool = False,
        shared: bool = False,
    ) -> None:
        self.origin = origin
        self.lost = 0
        self.restarts: list[Fraction] = []
        self.damaged: list[Fraction] = []
        self._jumps = jumps
        self._shared = shared
        self._shift = Fraction(0)
        self._interval = 1 / rate
        self._tick = tick
        self._index = -1
        self._time = -self._interval
        self._unplaced = 0
        self._damage_ends = -1
        self._is_damaged = False
        self._steps = Counter[int]()

    def count_lost_frame(self) -> None:
        """Counts one lost frame near the current one."""
        self.lost += 1
        self._unplaced += 1
        self._is_damaged = True

    def note_damage(self) -> None:
        """Records damage near the current frame, so that a jump in time means lost frames.

        Without damage a jump is no loss: cameras skip frames, and screen recorders wait for changes.
        """
        self._damage_ends = self._index + _DAMAGE_REACH
        self._is_damaged = True

    @property
    def notes(self) -> list[str]:
        """What is odd about the times so far, and damage, a sentence each."""
        notes = []
        if self.restarts:
            times = "once" if len(self.restarts) == 1 else f"{len(self.restarts)} times"
            first = f"first at {float(self.restarts[0]):.3f} s"
            notes.append(f"the clock jumps {times}, {first}; frames are taken to go on without a gap")
        if self.damaged:
            are = "frame is" if len(self.damaged) == 1 else "frames are"
            first = f"first at {float(self.damaged[0]):.3f} s"
            notes.append(f"{len(self.damaged)} {are} damaged, {first}: the decoder filled in what was missing")
        return notes

    @property
    def shift(self) -> Fraction:
        """The seconds that are added to the timestamps of the present stretch."""
        return self._shift

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

    def count_lost_until(self, end: Fraction, *, is_exact: bool = False) -> None:
        """Counts the frames between the latest one and `end`, in seconds of the stream's timestamps, as lost."""
        missing = round((self._since_origin(end) - self._time) / self._interval) - 1
        if is_exact or missing > 1:  # containers often estimate the last frame's duration
            self.lost = max(self.lost, missing)

    def stamp(self, pts: int | None) -> tuple[int, Fraction]:
        """The index and time of the next frame; `pts` is its timestamp in ticks, or None.

        A lost frame leaves a gap in the indices where the times jump: because decoders reorder frames, they report the
        loss earlier or later than that.
        """
        time = None if pts is None else pts * self._tick
        if self.origin is None:
            self.origin = time or Fraction(0)
        time = None if time is None else self._since_origin(time)
        if time is not None and self._is_jump(time - self._time):
            following = self._time + (1 + self._unplaced) * self._interval
            self._shift += following - time
            time = following
            self.restarts.append(time)
        if time is None or time <= self._time:
            gap = self._unplaced
            time = self._time + (gap * self._interval + self._least_step(stamped=time is not None))
        else:
            gap = self._gap_before(time)
            if not gap and self._index >= 0:
                self._steps[self._whole_steps(time - self._time)] += 1
        self._unplaced -= min(gap, self._unplaced)
        self._index, self._time = self._index + 1 + gap, time
        return self._index, self._time

    def _since_origin(self, time: Fraction) -> Fraction:
        return time - (self.origin or 0) + self._shift

    def _is_jump(self, step: Fraction) -> bool:
        if self._index < 0:
            return False
        if step < 0:
            furthest = _FURTHEST_BACK
            if self._jumps and not self._shared:
                furthest = min(furthest, _DAMAGE_REACH * self._interval) if self._is_near_damage else Fraction(0)
            return step < -furthest
        return self._jumps and step > LONGEST_STEP

    def _least_step(self, *, stamped: bool) -> Fraction:
        reliable = stamped and self._index >= 0 and not (self._shared or self._is_damaged)
        return self._tick if reliable else self._interval

    @property
    def _is_near_damage(self) -> bool:
        return self._index <= self._damage_ends

    def _whole_steps(self, length: Fraction) -> int:
        steps = round(length / self._interval)
        return steps if abs(length - steps * self._interval) < self._interval / 8 else 0

    def _gap_before(self, time: Fraction) -> int:
        jump = max(0, round((time - self._time) / self._interval) - 1)
        if self._index < 0 or not self._is_near_damage:
            return min(jump, self._unplaced)
        self.lost += max(0, jump - self._unplaced)
        return jump
