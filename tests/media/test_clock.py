from __future__ import annotations

from fractions import Fraction

from flowcli.media.pyav.clock import Clock


def _stamps(pts: list[int | None]) -> list[tuple[int, Fraction]]:
    clock = Clock(rate=Fraction(25), tick=Fraction(1, 1000))
    return [clock.stamp(value) for value in pts]


def test_times_count_from_the_first_frame():
    assert _stamps([5000, 5040, 5075]) == [(0, 0), (1, Fraction(40, 1000)), (2, Fraction(75, 1000))]


def test_missing_and_backward_times_follow_the_rate():
    assert [time for _, time in _stamps([0, None, 80, 60, None])] == [Fraction(40 * i, 1000) for i in range(5)]


def test_a_lost_frame_leaves_a_gap_where_time_jumps():
    clock = Clock(rate=Fraction(25), tick=Fraction(1, 25))
    clock.stamp(0)
    clock.count_lost_frame()
    assert clock.stamp(1)[0] == 1
    assert clock.stamp(3)[0] == 3


def test_a_jump_in_time_alone_is_no_gap():
    assert [index for index, _ in _stamps([0, 40, 900])] == [0, 1, 2]


def test_after_damage_a_jump_in_time_counts_as_lost_frames():
    clock = Clock(rate=Fraction(25), tick=Fraction(1, 25))
    clock.stamp(0)
    clock.note_damage()
    assert [clock.stamp(pts)[0] for pts in (1, 4)] == [1, 4]
    assert clock.lost == 2


def test_old_damage_does_not_explain_a_jump():
    clock = Clock(rate=Fraction(25), tick=Fraction(1, 25))
    clock.stamp(0)
    clock.note_damage()
    for pts in range(1, 30):
        clock.stamp(pts)
    clock.stamp(40)
    assert clock.lost == 0


def test_frames_announced_after_the_last_one_are_lost():
    clock = Clock(rate=Fraction(25), tick=Fraction(1, 25))
    for pts in range(5, 15):
        clock.stamp(pts)
    clock.count_lost_until(Fraction(15, 25))
    assert clock.lost == 0
    clock.count_lost_until(Fraction(35, 25))
    assert clock.lost == 20
