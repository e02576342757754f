from __future__ import annotations

from fractions import Fraction

import pytest

from flowcli.media.pyav.clock import Clock


def _stamps(pts: list[int | None]) -> list[tuple[int, Fraction]]:
    clock = Clock(rate=Fraction(25), tick=Fraction(1, 1000))
    return [clock.stamp(value) for value in pts]


def test_times_count_from_the_first_frame():
    assert _stamps([5000, 5040, 5075]) == [(0, 0), (1, Fraction(40, 1000)), (2, Fraction(75, 1000))]


def test_missing_times_follow_the_rate():
    assert [time for _, time in _stamps([0, None, 80, None])] == [Fraction(40 * i, 1000) for i in range(4)]


def test_equal_and_backward_times_cost_one_tick_and_later_ones_stay():
    times = [0, 40, 40, 40, 120, 100, 160]
    assert [time * 1000 for _, time in _stamps(times)] == [0, 40, 41, 42, 120, 121, 160]


def test_equal_times_of_a_stream_that_shares_them_follow_the_rate():
    clock = Clock(rate=Fraction(25), tick=Fraction(1, 1000), shared=True)
    assert [clock.stamp(pts)[1] * 1000 for pts in (0, 0, 0, 120)] == [0, 40, 80, 120]


@pytest.mark.parametrize("second", [0, 40, 7_200_000, 20_000])
def test_a_clock_that_jumps_begins_a_new_stretch(second):
    clock = Clock(rate=Fraction(25), tick=Fraction(1, 1000), jumps=True)
    stamps = [clock.stamp(pts) for pts in (5000, 5040, second, second + 40, second + 100)]
    assert [(index, time * 1000) for index, time in stamps] == [(0, 0), (1, 40), (2, 80), (3, 120), (4, 180)]
    assert (clock.restarts, clock.lost) == ([Fraction(2, 25)], 0)


def test_a_pause_is_no_jump():
    for jumps, pause in ((True, 9_000), (False, 90_000)):
        clock = Clock(rate=Fraction(25), tick=Fraction(1, 1000), jumps=jumps)
        assert [clock.stamp(pts)[1] * 1000 for pts in (0, 40, pause)] == [0, 40, pause]
        assert clock.restarts == []


def test_any_clock_that_goes_back_by_more_than_a_second_restarts():
    assert [time * 1000 for _, time in _stamps([0, 5000, 0, 40])] == [0, 5000, 5040, 5080]


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
