from __future__ import annotations

import weakref
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcli.media.frames import Frame, VideoMeta
from flowcli.media.pairs import Pairing, pair_up


def _frames(indices):
    return [Frame(index, Fraction(index, 25), np.zeros((1, 1, 3), np.uint8)) for index in indices]


def _pairs(indices, **options):
    return [(pair.first.index, pair.second.index) for pair in pair_up(_frames(indices), Pairing(**options))]


@given(n=st.integers(0, 40), skip=st.integers(1, 9))
def test_the_number_of_pairs_follows_from_that_of_frames(n, skip):
    assert len(_pairs(range(n), skip=skip)) == max(0, (n - 1) // skip)
    assert len(_pairs(range(n), skip=skip, sliding=True)) == max(0, n - skip)


def test_the_next_pair_begins_where_the_previous_one_ends():
    assert _pairs(range(8), skip=3) == [(0, 3), (3, 6)]


def test_sliding_begins_a_pair_at_every_frame():
    assert _pairs(range(5), skip=2, sliding=True) == [(0, 2), (1, 3), (2, 4)]


@pytest.mark.parametrize(
    ("indices", "options", "expected"),
    [
        ([0, 1, 2, 3], {}, [False, True, True]),
        ([0, 1, 3, 4, 5], {}, [False, False, True]),
        (range(7), {"skip": 2}, [False, True, True]),
        (range(5), {"skip": 2, "sliding": True}, [False, True, True]),
        ([0, 1, 2, 4, 5, 6, 7, 8], {"skip": 2, "sliding": True}, [False, True, True, True, True]),
        ([0, 1, 2, 5, 6, 7, 8], {"skip": 2, "sliding": True}, [False, False, True]),
    ],
)
def test_a_pair_continues_when_the_previous_one_reaches_it(indices, options, expected):
    assert [pair.continues for pair in pair_up(_frames(indices), Pairing(**options))] == expected


def test_a_lost_frame_leaves_out_its_pairs():
    assert _pairs([0, 1, 3, 4]) == [(0, 1), (3, 4)]
    assert _pairs([0, 1, 3, 4, 5, 6], skip=2) == [(4, 6)]
    assert _pairs([0, 2, 3, 4], skip=2) == [(0, 2), (2, 4)]


@pytest.mark.parametrize("sliding", [False, True])
def test_only_needed_frames_are_held(sliding):
    alive: weakref.WeakSet[Frame] = weakref.WeakSet()

    def frames():
        for index in range(50):
            frame = Frame(index, Fraction(index), np.zeros((1, 1, 3), np.uint8))
            alive.add(frame)
            yield frame

    for pair in pair_up(frames(), Pairing(skip=4, sliding=sliding)):
        assert len(alive) <= 6
        del pair


def _timed(times):
    return [Frame(index, time, np.zeros((1, 1, 3), np.uint8)) for index, time in enumerate(times)]


RATES = {
    **{
        name: [Fraction(n) / Fraction(name) for n in range(round(Fraction(name)))]
        for name in ("20", "24", "25", "30", "60")
    },
    "59.94": [Fraction(1001 * n, 60000) for n in range(60)],
    "variable": [
        Fraction(n, 1000) for n in (0, 40, 47, 95, 104, 160, 210, 290, 310, 380, 405, 490, 520, 601, 700, 790, 900)
    ],
}


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("skip", "sliding", "count"), [(1, False, 9), (2, False, 4), (2, True, 8)])
def test_sampled_pairs_are_the_same_at_every_rate(rate, skip, sliding, count):
    pairing = Pairing(skip, sliding, sample_fps=Fraction(10))
    pairs = list(pair_up(_timed(RATES[rate]), pairing))
    assert len(pairs) == count
    half_a_frame = Fraction(1, 2 * (20 if rate == "variable" else round(Fraction(rate))))
    for number, pair in enumerate(pairs):
        first = Fraction(number if sliding else number * skip, 10)
        assert abs(pair.first.time - first) <= half_a_frame
        assert abs(pair.second.time - first - Fraction(skip, 10)) <= half_a_frame


@given(n=st.integers(0, 90), rate=st.sampled_from([24, 25, 30, 60]), fps=st.integers(1, 90), skip=st.integers(1, 3))
def test_the_number_of_sampled_pairs_is_known_before(n, rate, fps, skip):
    pairing = Pairing(skip, sample_fps=Fraction(fps), pad_last=True)
    meta = VideoMeta("clip", 1, 1, Fraction(rate), n)
    pairs = list(pair_up(_timed([Fraction(index, rate) for index in range(n)]), pairing))
    assert len(pairs) == pairing.pairs_of(meta)
    assert len(pairs) + sum(len(pair.repeated_for) for pair in pairs) == pairing.flows_of(meta)


def test_a_moment_without_a_frame_of_its_own_leaves_out_its_pairs():
    times = [Fraction(n, 10) for n in (0, 1, 2, 6, 7)]
    pairs = pair_up(_timed(times), Pairing(sample_fps=Fraction(10)))
    assert [(pair.first.index, pair.second.index) for pair in pairs] == [(0, 1), (1, 2), (3, 4)]


@pytest.mark.parametrize(
    ("options", "repeated"), [({}, [4]), ({"skip": 2}, [4]), ({"skip": 3}, [3]), ({"skip": 2, "sliding": True}, [3, 4])]
)
def test_padding_repeats_the_last_flow_for_frames_that_begin_no_pair(options, repeated):
    *earlier, last = pair_up(_frames(range(5)), Pairing(**options, pad_last=True))
    assert [frame.index for frame in last.repeated_for] == repeated
    assert not any(pair.repeated_for for pair in earlier)
    assert list(pair_up(_frames([0]), Pairing(pad_last=True))) == []
