from __future__ import annotations

import weakref
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcli.media.frames import Frame
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
