"""--dry-run: the plan of a run, and nothing else."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from flowcli.flow.estimate import Estimate
from flowcli.media.frames import FramePair
from flowcli.model.estimator import FlowEstimator
from flowcli.pipeline import dry_run
from flowcli.pipeline.dry_run import duration
from tests.outputs import files_below

pytestmark = pytest.mark.usefixtures("place", "no_thread_stays")


def test_a_dry_run_of_a_video_tells_the_plan_and_writes_nothing(compute, make_video) -> None:
    make_video(frames=9)
    before = files_below(".")
    ended = compute("video", "clip.mp4", "--dry-run", "--skip", 2, "--save", "flo,side", "-o", "out")
    assert (ended.code, ended.err) == (0, [])
    told = {line.split("  ")[0]: line.split("  ")[-1].strip() for line in ended.out}
    for name in ("time", "at fast", "at best"):
        assert told.pop(name).endswith(" s in total")
    assert told.pop("correlation").startswith("on demand; computing takes ")
    assert told == {
        "frames": "about 9",
        "flows": "4",
        "size": "64 x 48, computed at 128 x 128",
        "device": "cpu, float32, batch 1",
        "weights": "random",
        "writes": "out/clip_flow, out/clip_side.mp4, out/clip_flow.json",
    }
    assert files_below(".") == before


def test_a_dry_run_as_json_agrees_with_the_run(compute, make_images) -> None:
    make_images(count=8)
    line = ("video", "shots", "--start", "#1", "--max-frames", 5, "--max-side", 40, "--json", "-q")
    plan = json.loads("\n".join(compute(*line, "--dry-run").out))
    report = json.loads("\n".join(compute(*line).out))
    assert plan["dry_run"] is True
    assert (plan["frames"], plan["frames_counted"], plan["flows"]) == (5, True, 4)
    assert (plan["computed_width"], plan["computed_height"]) == (128, 128)
    assert plan["seconds"] == pytest.approx(4 * plan["seconds_per_flow"], abs=0.01)
    assert plan["memory_bytes"] > 0
    for name in ("command", "inputs", "width", "height", "weights", "flows", "start"):
        assert plan[name] == report[name], name
    assert plan["outputs"] == [*report["outputs"], str(Path("shots_flow.json").absolute())]
    assert {**report["settings"], "max_flow": None, "gamma": None} == plan["settings"]


def test_a_dry_run_of_a_video_measures_pairs_from_all_over_it(compute, make_images, monkeypatch) -> None:
    measured = list[Fraction]()

    def noted(_: object, batch: list[FramePair]) -> float:
        measured.append(batch[0].first.time * 25)
        return [0.0, 1.0, 2.0, 6.0][len(measured) - 1] if len(measured) < 5 else 0.0

    monkeypatch.setattr(dry_run, "seconds_of", noted)
    plan = json.loads("\n".join(compute("video", make_images(count=13), "--dry-run", "--json", "--batch", 1).out))
    assert measured == [2, 2, 6, 10, 6, 6]  # the first twice; then the other qualities
    assert plan["seconds_per_flow"] == 3


@pytest.mark.parametrize(("frames", "batch"), [(4, 3), (13, 5)])
def test_a_dry_run_measures_pairs_together_as_the_run_computes_them(compute, make_images, monkeypatch, frames, batch):
    computed, estimate = list[int](), FlowEstimator.estimate_batch

    def noted(self: FlowEstimator, pairs: list[FramePair], *others: Any) -> list[Estimate]:
        computed.append(len(pairs))
        return estimate(self, pairs, *others)

    monkeypatch.setattr(FlowEstimator, "estimate_batch", noted)
    assert compute("video", make_images(count=frames), "--dry-run", "--batch", 5).code == 0
    assert set(computed) == {batch}


def test_a_dry_run_of_a_pair_tells_the_plan_and_writes_nothing(compute, make_images) -> None:
    folder = make_images()
    before = files_below(".")
    ended = compute("pair", folder / "0.png", folder / "1.png", "--dry-run", "--json")
    plan = json.loads("\n".join(ended.out))
    assert (plan["command"], plan["flows"], plan["width"], plan["height"]) == ("pair", 1, 64, 48)
    assert files_below(".") == before


@pytest.mark.parametrize(
    ("options", "code", "error"),
    [
        (("--start", "9"), 2, "error: clip.mp4 ends before --start 9"),
        (("--skip", "9"), 3, "error: clip.mp4 is too short for a pair"),
        (("--reference", "4"), 2, "error: --reference 4 is not a frame of the input"),
        (("--sample-fps", "60"), 3, "error: clip.mp4 has no two frames that are 0.0166667 s apart"),
        (("-o", "taken.mp4"), 2, "error: taken.mp4 exists already"),
        (("--memory", "1M"), 6, "error: computing at 64 x 48 takes "),
    ],
)
def test_a_dry_run_refuses_what_the_run_would(compute, make_video, options, code, error) -> None:
    make_video(frames=4)
    Path("taken.mp4").touch()
    ended = compute("video", "clip.mp4", "--dry-run", *options)
    assert (ended.code, ended.out) == (code, [])
    assert ended.err[0].startswith(error)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (99, "99 s"), (100, "2 min"), (5940, "99 min"), (6000, "1 h 40 min")]
)
def test_times_are_told_as_people_do(seconds, text) -> None:
    assert duration(seconds) == text
