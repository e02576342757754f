"""Many clips: none is lost, none computed twice, and none stops the others."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from flowcli import batch, work
from flowcli.engines import here
from flowcli.errors import DeviceError, UsageError
from flowcli.estimator import FlowEstimator
from flowcli.lock import Lock
from tests.outputs import files_below

pytestmark = pytest.mark.usefixtures("place", "no_thread_stays")

SAVE = ("--save", "flo", "-o", "out")


@pytest.fixture
def clips(place: Path, make_video, make_images) -> Path:
    """Three clips that can be computed, and one that cannot."""
    for name in ("clips/day", "clips/night"):
        (place / name).mkdir(parents=True)
    make_video("clips/day/a.mp4", frames=3)
    make_video("clips/day/a.mkv", frames=3)
    make_images("clips/night/shots", count=3)
    (place / "clips/broken.mp4").write_text("hello there\n" * 9)
    return place / "clips"


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A number for every batch of pairs that was computed."""
    compute, calls = FlowEstimator.estimate_batch, list[int]()

    def noted(*arguments: Any) -> Any:
        calls.append(len(calls))
        return compute(*arguments)

    monkeypatch.setattr(FlowEstimator, "estimate_batch", noted)
    return calls


def items() -> dict[str, dict[str, Any]]:
    return {item["clip"]: item for item in json.loads(Path("out/batch.json").read_bytes())["items"]}


FLOWS = [
    *(f"day/a.{ending}_flow{rest}" for ending in ("mkv", "mp4") for rest in (".json", "/000000.flo", "/000001.flo")),
    *(f"night/shots_flow{rest}" for rest in (".json", "/000000.flo", "/000001.flo")),
]


def test_every_clip_is_done_and_failures_are_named(compute, clips: Path) -> None:
    ended = compute("batch", clips.name, *SAVE)
    assert ended.code == 4
    assert ended.err == [
        "error: 1 of 4 clips could not be done, or not whole",
        "hint: batch.json has the reasons; --retry-failed tries them again",
    ]
    assert [name for name in files_below("out") if not name.startswith(".")] == ["batch.json", *FLOWS]
    assert {name: (item["status"], item["flows"]) for name, item in items().items()} == {
        "broken.mp4": ("failed", 0),
        "day/a.mkv": ("done", 2),
        "day/a.mp4": ("done", 2),
        "night/shots": ("done", 2),
    }
    assert items()["broken.mp4"]["error"] == "clips/broken.mp4 is text, not a video"
    assert any("clips/broken.mp4 is text, not a video" in line for line in ended.out)


def test_running_again_computes_nothing_twice(compute, clips: Path, computed: list[int]) -> None:
    compute("batch", clips, *SAVE)
    before = {name: Path("out", name).stat().st_mtime_ns for name in FLOWS}
    first = items()
    computed.clear()
    assert compute("batch", clips, *SAVE).code == 4
    assert not computed
    assert {name: Path("out", name).stat().st_mtime_ns for name in FLOWS} == before
    assert items() == first


def test_a_clip_whose_output_is_gone_is_computed_again(compute, clips: Path, computed: list[int]) -> None:
    compute("batch", clips, *SAVE)
    for path in Path("out/night/shots_flow").iterdir():
        path.unlink()
    Path("out/night/shots_flow").rmdir()
    computed.clear()
    compute("batch", clips, *SAVE)
    assert len(computed) == 2
    assert [name for name in files_below("out") if not name.startswith(".")] == ["batch.json", *FLOWS]


def test_a_failed_clip_is_tried_again_only_when_asked(compute, clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, tried = work.opened_source, []
    monkeypatch.setattr(work, "opened_source", lambda request: (tried.append(request.name), opened(request))[1])
    compute("batch", clips, *SAVE)
    tried.clear()
    assert compute("batch", clips, *SAVE).code == 4
    assert tried == []
    assert compute("batch", clips, *SAVE, "--retry-failed").code == 4
    assert tried == ["broken"]


def test_a_failed_clip_that_has_changed_is_tried_again(compute, clips: Path, make_video) -> None:
    assert compute("batch", clips, *SAVE).code == 4
    make_video("clips/broken.mp4", frames=2)
    assert compute("batch", clips, *SAVE).code == 0
    assert items()["broken.mp4"]["status"] == "done"


def test_a_clip_with_lost_frames_stays_partial(compute, place: Path, make_images) -> None:
    (make_images("clips", count=5) / "2.png").write_bytes(b"no picture")
    Path("all").mkdir()
    Path("clips").rename("all/shots")
    for line in ([], [], ["--retry-failed"]):
        assert compute("batch", "all", *SAVE, *line).code == 4
        assert (items()["shots"]["status"], items()["shots"]["flows"]) == ("partial", 2)


def test_a_bug_with_one_clip_stops_no_other(compute, clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    estimate = work.carry_out

    def buggy(task: Any, *arguments: Any, **options: Any) -> Any:
        if task.request.name == "a.mkv":
            raise ZeroDivisionError("oh")
        if task.request.name == "a.mp4":
            raise DeviceError("no memory", hint="buy some")
        return estimate(task, *arguments, **options)

    monkeypatch.setattr(work, "carry_out", buggy)
    assert compute("batch", clips, *SAVE).code == 4
    assert items()["day/a.mkv"]["error"] == "a bug in flowcli: ZeroDivisionError: oh"
    assert (items()["day/a.mp4"]["error"], items()["day/a.mp4"]["hint"]) == ("no memory", "buy some")
    assert items()["night/shots"]["status"] == "done"


def test_one_model_serves_all_clips(compute, clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded, load = [], here.load
    monkeypatch.setattr(here, "load", lambda weights: (loaded.append(weights), load(weights))[1])
    monkeypatch.setattr("flowcli.run.load", lambda _: pytest.fail("a clip loaded the model again"))
    compute("batch", clips, *SAVE)
    assert len(loaded) == 1


def test_shards_share_out_the_clips(compute, clips: Path) -> None:
    for shard in ("1/3", "2/3", "3/3"):
        compute("batch", clips, *SAVE, "--shard", shard)
    records = [json.loads(path.read_bytes())["items"] for path in sorted(Path("out").glob("batch-*-of-3.json"))]
    assert [[item["clip"] for item in record] for record in records] == [
        ["broken.mp4", "night/shots"],
        ["day/a.mkv"],
        ["day/a.mp4"],
    ]


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "a/b", "-1/2"])
def test_what_is_no_share_is_refused(shard: str) -> None:
    with pytest.raises(UsageError, match=f"--shard {shard} is no share"):
        batch.share([], shard)


def test_a_second_batch_in_the_same_place_is_refused(compute, clips: Path) -> None:
    lock = Lock(Path("out/.batch"))
    ended = compute("batch", clips, *SAVE)
    lock.release()
    assert (ended.code, ended.err[0]) == (
        2,
        f"error: another run writes there: process {os.getpid()} holds out/.batch",
    )


def test_a_dry_run_lists_the_clips_and_writes_nothing(compute, clips: Path) -> None:
    ended = compute("batch", clips, *SAVE, "--dry-run", "--json")
    assert ended.code == 0
    known = {clip["clip"]: (clip["frames"], clip["pairs"]) for clip in json.loads("\n".join(ended.out))["clips"]}
    assert known["day/a.mp4"] == known["night/shots"] == (3, 2)
    assert known["broken.mp4"] == (None, None)
    assert not Path("out").exists()


def test_what_another_program_wrote_is_not_taken_for_the_record(compute, clips: Path) -> None:
    Path("out").mkdir()
    Path("out/batch.json").write_text('{"items": [{"clip": 1}]}')
    ended = compute("batch", clips, *SAVE)
    assert (ended.code, ended.err[0]) == (2, "error: out/batch.json is not what flowcli batch wrote")
    assert Path("out/batch.json").read_text() == '{"items": [{"clip": 1}]}'


def flows_below(folder: str) -> dict[str, bytes]:
    return {name: Path(folder, name).read_bytes() for name in files_below(folder) if name.endswith(".flo")}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_hundred_clips_survive_kills_and_broken_neighbours(make_video, weights: Path) -> None:
    """Killed at three moments between 20 and 80 %; nothing finished is computed twice, nothing differs."""
    Path("clips").mkdir()
    for number in range(200):
        make_video(f"clips/{number:03d}.mp4", frames=3)
    for name, content in {"empty.mp4": b"", "text.mp4": b"hello\n" * 9, "bad\udcff.mp4": b"<html>"}.items():
        Path("clips", name).write_bytes(content)
    line = [sys.executable, "-m", "flowcli", "batch", "clips", "--weights", str(weights), "--iters", "1"]
    line += ["--save", "flo"]
    started = time.monotonic()
    assert subprocess.run([*line, "-o", "whole"], check=False, capture_output=True).returncode == 4
    seconds = time.monotonic() - started
    process = None
    done: dict[str, float] = {}
    for share in random.Random(2).choices([0.2, 0.3, 0.5, 0.7], k=3):
        process = subprocess.Popen([*line, "-o", "cut"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        time.sleep(share * seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for path, moment in done.items():
            assert Path(path).stat().st_mtime_ns == moment, f"{path} was computed twice"
        done = {str(path): path.stat().st_mtime_ns for path in Path("cut").glob("*_flow.json")}
    last = subprocess.run([*line, "-o", "cut"], check=False, capture_output=True)
    assert last.returncode == 4
    assert len(flows_below("whole")) == 400
    assert flows_below("cut") == flows_below("whole")
    failed = [item for item in json.loads(Path("cut/batch.json").read_bytes())["items"] if item["status"] == "failed"]
    assert sorted(item["clip"] for item in failed) == ["bad\udcff.mp4", "empty.mp4", "text.mp4"]
    assert all(item["error"] and item["hint"] for item in failed)
