"""Statistics of flow: `MotionStatistics`, and the records of `--save stats`."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from flowcli.flow.naming import Part
from flowcli.flow.outputs import stats
from flowcli.flow.statistics import MotionStatistics


def _field(u, v, *, size=(40, 50)):
    return np.full((*size, 2), (u, v), np.float32)


def test_speeds_are_those_of_the_known_pixels():
    flow = _field(3, 4)
    flow[0] = 0
    flow[1] = np.nan
    flow[2] = 1e10
    motion = MotionStatistics.of(flow)
    speeds = np.array([5.0] * 37 + [0.0])
    assert motion.known == pytest.approx(38 / 40)
    assert motion.mean == pytest.approx(speeds.mean())
    assert (motion.median, motion.p95) == (5, 5)
    assert motion.moving == pytest.approx(37 / 38)


@pytest.mark.parametrize("degrees", [0, 1, 44, 90, 179, 180, 275, 359])
def test_the_dominant_direction_is_where_most_motion_goes(degrees):
    flow = 0.1 * np.random.default_rng(0).normal(size=(40, 50, 2)).astype(np.float32)
    angle = np.radians(degrees)
    flow[:25] += 3 * np.array([np.cos(angle), np.sin(angle)], np.float32)
    flow[25:] += np.array([-np.cos(angle), -np.sin(angle)], np.float32)
    found = MotionStatistics.of(flow).direction
    assert abs((found - degrees + 180) % 360 - 180) < 1


def test_noise_is_still_and_has_no_direction():
    motion = MotionStatistics.of(0.1 * np.random.default_rng(0).normal(size=(40, 50, 2)).astype(np.float32))
    assert motion.still and motion.moving == 0 and motion.direction is None
    assert not MotionStatistics.of(_field(1, 0)).still


def test_unknown_flow_has_no_statistics():
    assert MotionStatistics.of(_field(np.nan, 0)) == MotionStatistics(0.0, None, None, None, 0.0, None)


def test_a_record_describes_the_motion_of_a_pair(make_estimate):
    occluded = np.zeros((48, 64), bool)
    occluded[:12] = True
    record = stats.measure(make_estimate(_field(0, 3, size=(48, 64)), index=5, occluded=occluded))
    assert record["magnitude"] == {"mean": 3, "median": 3, "p95": 3}
    assert record["speed"] == {"mean": 75, "median": 75, "p95": 75}
    expected = {"first": 5, "second": 6, "time": "1/5", "second_time": "6/25", "iterations": 12, "warm": False}
    assert expected.items() <= record.items()
    assert (record["moving_fraction"], record["dominant_direction"], record["occluded_fraction"]) == (1, 90, 0.25)
    assert (record["cut"], record["still"]) == (False, False)


def test_speed_is_per_second_of_the_frames_times(make_estimate):
    estimate = make_estimate(_field(3, 4, size=(48, 64)), time=Fraction(2))
    object.__setattr__(estimate.pair.second, "time", Fraction(5, 2))
    assert stats.measure(estimate)["speed"]["mean"] == 10


def test_images_without_time_have_no_speed(make_estimate):
    estimate = make_estimate(_field(3, 4, size=(48, 64)))
    object.__setattr__(estimate.pair.second, "time", Fraction(0))
    record = stats.measure(estimate)
    assert record["speed"] == {"mean": None, "median": None, "p95": None}
    assert record["magnitude"]["mean"] == 5


def test_unknown_statistics_are_null_in_json(tmp_path, make_estimate):
    stats.compose([stats.measure(make_estimate(_field(np.nan, 0, size=(48, 64))))], tmp_path / "a.json")
    record = json.loads((tmp_path / "a.json").read_text())["pairs"][0]
    assert record["magnitude"]["mean"] is record["photometric_error"]["before"] is record["dominant_direction"] is None
    assert record["known_fraction"] == 0


def test_the_summary_excludes_cuts_and_joined_parts_give_the_same_file(tmp_path, make_estimate):
    records = [stats.measure(make_estimate(_field(u, 0, size=(48, 64)), index=u)) for u in (2, 40, 4, 0)]
    records[1]["cut"] = True
    stats.compose(records, tmp_path / "whole.json")
    summary = json.loads((tmp_path / "whole.json").read_text())["summary"]
    assert (summary["pairs"], summary["cuts"], summary["still"]) == (4, 1, 1)
    assert summary["magnitude"]["mean"] == 2
    assert summary["moving_fraction"] == pytest.approx(2 / 3, abs=1e-4)
    parts = []
    for name, some in (("a", records[:3]), ("b", records[3:])):
        stats.compose(some, tmp_path / name)
        parts.append(Part(Path(tmp_path / name), Fraction(0)))
    stats.join(parts, tmp_path / "joined.json")
    assert (tmp_path / "joined.json").read_bytes() == (tmp_path / "whole.json").read_bytes()
