from __future__ import annotations

from fractions import Fraction

import pytest

from flowcli.errors import UsageError
from flowcli.media.selection import Moment, Selection, parse_moment, parse_rate, parse_selection


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("12.5", Moment(seconds=Fraction(25, 2))),
        (".1", Moment(seconds=Fraction(1, 10))),
        ("90", Moment(seconds=Fraction(90))),
        ("1:02.5", Moment(seconds=Fraction(125, 2))),
        ("1:02:03", Moment(seconds=Fraction(3723))),
        ("#120", Moment(frame=120)),
    ],
)
def test_moments_are_exact(text, moment):
    assert parse_moment(text, "--start") == moment


@pytest.mark.parametrize("text", ["", "x", "-1", "#", "#-1", "1:60", "1:60:00", "1e3", "nan", "1:2:3:4", "12s"])
def test_text_that_is_not_a_time_is_refused_with_the_accepted_forms(text):
    with pytest.raises(UsageError) as failure:
        parse_moment(text, "--end")
    assert str(failure.value) == f"--end {text} is not a time"
    assert failure.value.hint == "write 12.5, 1:02.5, 1:02:03 or #120, a frame number"


@pytest.mark.parametrize(("start", "end"), [("#5", "#5"), ("2", "1.5"), (None, "#0"), ("1:00", "60")])
def test_an_end_that_is_not_after_the_start_is_refused(start, end):
    with pytest.raises(UsageError, match=f"--end {end} is not after --start"):
        parse_selection(start, end, None)


@pytest.mark.parametrize(
    ("options", "frames", "count"),
    [
        ((None, None, None), 100, 100),
        (("#10", None, None), 100, 90),
        (("#10", "#30", None), 100, 20),
        (("#10", "#30", 5), 100, 5),
        (("1", "2", None), 100, 25),
        (("0.01", None, None), 100, 99),
        (("#99", "#300", None), 100, 1),
        (("#200", None, None), 100, 0),
        ((None, "2", None), None, 50),
        ((None, None, 7), None, 7),
        ((None, None, None), None, None),
    ],
)
def test_the_number_of_selected_frames_follows_from_that_of_the_source(options, frames, count):
    assert parse_selection(*options).count_of(frames, Fraction(25)) == count


def test_a_selection_from_frame_or_second_0_begins_with_the_first_frame():
    assert Selection().from_first
    assert parse_selection("0", None, None).from_first
    assert not parse_selection("#1", None, None).from_first


@pytest.mark.parametrize(
    ("text", "rate"),
    [("30", Fraction(30)), ("23.976", Fraction(23976, 1000)), ("24000/1001", Fraction(24000, 1001)), (None, None)],
)
def test_rates_are_exact(text, rate):
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "0", "-5", "nan", "1000001", "1/2/3", "30/", "1e2"])
def test_text_that_is_not_a_rate_is_refused(text):
    with pytest.raises(UsageError) as failure:
        parse_rate(text)
    assert str(failure.value) == f"--fps {text} is not a frame rate"
