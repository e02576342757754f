"""The table of a batch: how every clip moves, the same however the clips were shared out."""

from __future__ import annotations

import ast
import csv
import dataclasses
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from flowcli.batch import motion
from flowcli.batch.motion import MotionRow, measured
from flowcli.flow.outputs import stats

pytestmark = pytest.mark.usefixtures("place")

REPORT = {"width": 64, "height": 48, "start": "1/2", "weights": {"name": "raft", "sha256": "abc"}}


@pytest.fixture
def clips(place: Path, make_images) -> Path:
    """Three clips that can be computed, and one that cannot."""
    (place / "clips/day").mkdir(parents=True)
    for name, count in (("clips/b", 3), ("clips/day/a", 4), ("clips/c", 2)):
        make_images(name, count=count)
    (place / "clips/broken.mp4").write_text("hello there\n" * 9)
    return place / "clips"


def rows(path: str) -> list[dict[str, str]]:
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_shards_and_a_run_after_them_give_the_table_of_one_run(compute, clips: Path) -> None:
    line = ("batch", clips, "--save", "stats", "--table-pairs")
    assert compute(*line, "-o", "whole").code == 4
    for number in (1, 2):
        compute(*line, "-o", "shared", "--shard", f"{number}/2")
    for name, count in (("motion", 4), ("motion_pairs", 6)):
        whole = rows(f"whole/{name}.csv")
        assert len(whole) == count
        parts = [row for number in (1, 2) for row in rows(f"shared/{name}-{number}-of-2.csv")]
        assert sorted(parts, key=lambda row: row["clip"]) == whole
    assert compute(*line, "-o", "shared").code == 4
    for name in ("motion.csv", "motion_pairs.csv"):
        assert Path("shared", name).read_bytes() == Path("whole", name).read_bytes()
    assert [(row["clip"], row["status"], row["pairs"]) for row in rows("whole/motion.csv")] == [
        ("b", "done", "2"),
        ("broken.mp4", "failed", "0"),
        ("c", "done", "1"),
        ("day/a", "done", "3"),
    ]


@pytest.mark.parametrize("name", ["b_stats.json", "b_flow.json"])
def test_a_damaged_record_is_named_and_computed_again_once_removed(compute, clips: Path, name: str) -> None:
    line = ("batch", clips, "--save", "stats", "--include", "b", "-o", "out", "-y")
    assert compute(*line).code == 0
    damaged = Path("out", name)
    damaged.write_text("{")
    if name == "b_stats.json":
        ended = compute(*line)
        assert (ended.code, ended.err[-2]) == (3, f"error: {damaged} is damaged")
        damaged.unlink()
    assert compute(*line).code == 0
    assert rows("out/motion.csv")[0]["pairs"] == "2"


def test_every_format_holds_the_same_rows_and_saves_the_records_they_are_made_of(compute, clips: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert compute("batch", clips, "--save", "flo", "--table", "csv,jsonl,parquet", "-o", "out").code == 4
    assert Path("out/b_stats.json").exists()
    lines = [json.loads(line) for line in Path("out/motion.jsonl").read_text().splitlines()]
    assert parquet.read_table("out/motion.parquet").to_pylist() == lines
    shown = [{name: "" if value is None else str(value) for name, value in line.items()} for line in lines]
    assert rows("out/motion.csv") == shown
    assert not Path("out/motion_pairs.csv").exists()


def test_clips_that_are_not_measured_have_no_table(compute, clips: Path) -> None:
    compute("batch", clips, "--save", "flo", "-o", "out")
    assert not list(Path("out").glob("motion*"))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("xlsx", ["error: --table xlsx is not known", "hint: use csv, jsonl, parquet"]),
        (",", ["error: --table names no format", "hint: use csv, jsonl, parquet"]),
        ("parquet", ["error: --table parquet needs pyarrow", "hint: pip install pyarrow"]),
    ],
)
def test_a_table_that_cannot_be_written_is_refused_at_once(compute, clips, monkeypatch, table, said) -> None:
    monkeypatch.setattr("flowcli.batch.table.find_spec", lambda _: None)
    ended = compute("batch", clips, "--table", table, "-o", "out")
    assert (ended.code, ended.err) == (2, said)
    assert not Path("out").exists()


def record(make_estimate, flow: np.ndarray, index: int, **changes: object) -> dict[str, object]:
    return stats.measure(make_estimate(flow, index=index, time=Fraction(index, 25))) | changes


def test_a_row_holds_the_means_over_the_pairs_without_a_cut(make_estimate) -> None:
    pan = np.zeros((48, 64, 2), np.float32)
    pan[..., 0] = 4
    wild = np.full((48, 64, 2), 30, np.float32)
    records = [
        record(make_estimate, pan, 0),
        record(make_estimate, wild, 1, cut=True),
        record(make_estimate, 2 * pan, 2),
    ]
    row = measured("a", "done", records, REPORT)
    assert (row.pairs, row.cuts, row.first, row.second, row.time, row.seconds) == (3, 1, 0, 3, 0.5, 0.12)
    assert (row.mean_px, row.p95_px, row.mean_px_per_second) == (6, 6, 150)
    assert (row.mean_diagonal, row.mean_diagonal_per_second) == (6 / 80, 150 / 80)
    assert (row.moving_share, row.still_share, row.direction, row.known_share) == (1, 0, 0, 1)
    assert (row.camera_px, row.camera_zoom, row.camera_rotation, row.own_px, row.own_share) == (6, 1, 0, 0, 0)
    assert (row.occluded_share, row.weights, row.weights_sha256) == (None, "raft", "abc")
    alone = measured("a", "done", records[1:2], REPORT)
    assert (alone.pairs, alone.cuts, alone.mean_px, alone.camera_px, alone.direction) == (1, 1, None, None, None)


def test_the_direction_of_a_clip_is_that_in_which_it_goes_furthest(make_estimate) -> None:
    down, left = (np.broadcast_to(np.float32(vector), (48, 64, 2)) for vector in ((0, 4), (-1, 0)))
    records = [record(make_estimate, down, 0), record(make_estimate, left, 1), record(make_estimate, 0 * down, 2)]
    found = measured("a", "done", records, REPORT).direction
    assert found == pytest.approx(90 + np.degrees(np.arctan(1 / 4)), abs=0.1)
    assert measured("a", "done", records[2:], REPORT).direction is None


def test_every_column_is_documented() -> None:
    (row,) = (node for node in ast.walk(ast.parse(Path(motion.__file__).read_text())) if isinstance(node, ast.ClassDef))
    body = row.body[1:]
    for field, text in zip(body[::2], body[1::2], strict=True):
        assert isinstance(field, ast.AnnAssign)
        assert isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant), ast.unparse(field)
    assert len(body) == 2 * len(dataclasses.fields(MotionRow))
