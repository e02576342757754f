"""Many clips: none is lost, none computed twice, and none stops the others."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from flowcli.batch import work
from flowcli.batch.engines import local
from flowcli.batch.run import shard_of
from flowcli.errors import DeviceError, UsageError
from flowcli.model.estimator import FlowEstimator
from flowcli.system.lock import Lock
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
        "outputs are in out; outcomes are in batch.json",
        "error: 1 of 4 clips failed or are partial",
        "hint: out/batch.json states the reasons; --retry-failed computes them again",
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


def test_the_end_of_a_batch_names_the_report(compute, clips: Path) -> None:
    ended = compute("batch", clips, *SAVE, "--include", "*.mkv", "--report")
    assert (ended.code, ended.err) == (0, ["outputs are in out; open out/report.html"])


def test_progress_names_the_clip_and_counts_its_pairs(compute, clips: Path, monkeypatch) -> None:
    monkeypatch.setattr("flowcli.system.console.SECONDS_BETWEEN_LINES", 0)
    lines = compute("batch", clips, *SAVE, "--include", "*.mkv").err
    assert [line.partition(" done")[0] for line in lines[:3]] == [
        "day/a.mkv: 1 pair",
        "day/a.mkv: 2 pairs",
        "1 clip",
    ]


def test_a_quiet_batch_shows_no_progress(compute, clips: Path, monkeypatch) -> None:
    monkeypatch.setattr("flowcli.system.console.SECONDS_BETWEEN_LINES", 0)
    assert compute("batch", clips, *SAVE, "--include", "*.mkv", "-q").err == []


def test_running_again_computes_nothing_twice(compute, clips: Path, computed: list[int]) -> None:
    compute("batch", clips, *SAVE)
    before = {name: Path("out", name).stat().st_mtime_ns for name in FLOWS}
    first = items()
    computed.clear()
    assert compute("batch", clips, *SAVE).code == 4
    assert not computed
    assert {name: Path("out", name).stat().st_mtime_ns for name in FLOWS} == before
    assert items() == first


def test_flow_that_lies_among_the_clips_is_no_clip(compute, clips: Path, make_video) -> None:
    make_video("clips/day/b_flow.mp4", frames=3)
    compute("video", "clips/day/a.mp4", "--save", "video,overlay,png")
    compute("batch", clips, "-o", "clips/day/old", "--save", "png,side", "--include", "a.mkv")
    Path("clips/day/b_flow.json").write_text("[]")
    assert compute("batch", clips, *SAVE).code == 4
    assert items().keys() == {"broken.mp4", "day/a.mkv", "day/a.mp4", "day/b_flow.mp4", "night/shots"}


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
    opened, tried = work.source_of, []
    monkeypatch.setattr(work, "source_of", lambda request: (tried.append(request.name), opened(request))[1])
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


def test_what_failed_is_tried_again_when_something_else_is_asked(compute, clips: Path, computed: list[int]) -> None:
    assert compute("batch", clips, *SAVE).code == 4
    first = items()
    assert compute("batch", clips, *SAVE, "--skip", 2).code == 4
    assert items()["night/shots"]["error"] == "out/night/shots_flow/000000.flo exists already"
    computed.clear()
    assert compute("batch", clips, *SAVE).code == 4
    assert {name: item["status"] for name, item in items().items()} == {
        name: item["status"] for name, item in first.items()
    }
    assert not computed
    assert compute("batch", clips, *SAVE, "--skip", 2).code == 4
    assert compute("batch", clips, *SAVE, "--skip", 2, "-y").code == 4
    assert (items()["night/shots"]["status"], items()["night/shots"]["flows"]) == ("done", 1)


def test_failures_by_older_outputs_alone_are_told_how_to_be_overcome(compute, clips: Path) -> None:
    line = ("batch", clips, *SAVE, "--include", "*.mkv", "--segment", 1)
    assert compute(*line).code == 0
    ended = compute(*line, "--skip", 2)
    assert (ended.code, ended.err[-1]) == (
        4,
        "hint: their outputs are of other options, weights or frames: -y overwrites them, -o writes elsewhere",
    )
    assert compute(*line, "--skip", 2, "-y").code == 0


def test_failures_by_older_outputs_are_told_apart_from_others(compute, clips: Path) -> None:
    (clips / "broken.mkv").write_text("hello")
    line = ("batch", clips, *SAVE, "--include", "*.mkv", "--segment", 1)
    assert compute(*line).code == 4
    whole = len(list(clips.rglob("*.mkv"))) - 1
    assert compute(*line, "--skip", 2).err[-1] == (
        f"hint: {whole} have outputs of other options, weights or frames (-y overwrites); see out/batch.json"
    )


HOLDER = """
import time
from pathlib import Path
from flowcli.system.lock import Lock
lock = Lock(Path("out/day/.a.mkv_flow.run"))
print("held", flush=True)
time.sleep(1)
print(time.monotonic(), flush=True)
lock.release()
"""


def test_a_clip_that_another_process_writes_is_waited_for(compute, clips: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    assert compute("batch", clips, *SAVE, "--include", "*.mkv").code == 0
    ended = time.monotonic()
    assert ended > float(holder.communicate(timeout=20)[0])
    assert items()["day/a.mkv"]["status"] == "done"


def test_a_clip_with_lost_frames_stays_partial(compute, place: Path, make_images) -> None:
    (make_images("clips", count=5) / "2.png").write_bytes(b"no picture")
    Path("all").mkdir()
    Path("clips").rename("all/shots")
    for line in ([], [], ["--retry-failed"]):
        assert compute("batch", "all", *SAVE, *line).code == 4
        assert (items()["shots"]["status"], items()["shots"]["flows"]) == ("partial", 2)


def test_images_that_come_after_a_clip_was_opened_are_told_and_asked_for(
    compute, place: Path, make_images, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next clip is opened while another one is computed, which can take hours."""
    Path("clips").mkdir()
    make_images("clips/growing", count=3)
    estimate = work.estimate_video

    def estimate_later(*arguments: Any, **options: Any) -> Any:
        shutil.copy("clips/growing/2.png", "clips/growing/3.png")
        return estimate(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(work, "estimate_video", estimate_later)
        assert compute("batch", "clips", *SAVE).code == 4
    assert (items()["growing"]["flows"], items()["growing"]["status"]) == (2, "partial")
    assert items()["growing"]["error"] == "clips/growing changed while its flow was computed"
    assert compute("batch", "clips", *SAVE).code == 4
    assert items()["growing"]["error"] == "out/growing_flow/000000.flo exists already"
    assert compute("batch", "clips", *SAVE, "-y").code == 0
    assert items()["growing"]["flows"] == 3


def test_a_bug_with_one_clip_stops_no_other(compute, clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    estimate = work.estimate_video

    def buggy(task: Any, *arguments: Any, **options: Any) -> Any:
        if task.request.name == "a.mkv":
            raise ZeroDivisionError("oh")
        if task.request.name == "a.mp4":
            raise DeviceError("no memory", hint="buy some")
        return estimate(task, *arguments, **options)

    monkeypatch.setattr(work, "estimate_video", buggy)
    assert compute("batch", clips, *SAVE).code == 4
    assert items()["day/a.mkv"]["error"] == "a bug in flowcli: ZeroDivisionError: oh"
    assert (items()["day/a.mp4"]["error"], items()["day/a.mp4"]["hint"]) == ("no memory", "buy some")
    assert items()["night/shots"]["status"] == "done"


def test_one_model_serves_all_clips(compute, clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded, load = [], local.load
    monkeypatch.setattr(local, "load", lambda weights: (loaded.append(weights), load(weights))[1])
    monkeypatch.setattr("flowcli.model.estimator.load", lambda _: pytest.fail("a clip loaded the model again"))
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
    with pytest.raises(UsageError, match=f"--shard {shard} is not a shard"):
        shard_of([], shard)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--save", "nonsense", "--save nonsense is not known"),
        ("--engine", "spark", "--engine spark is not known"),
        ("--start", "soon", "--start soon is not a time"),
        ("--device", "cuda:99", "cuda:99 is not available"),
        ("--scale", "9", "--scale 9.0 is not between 0 and 8"),
    ],
)
def test_what_would_fail_with_every_clip_is_refused_at_once(
    compute, clips: Path, option: str, value: str, message: str
) -> None:
    ended = compute("batch", clips, "-o", "out", option, value)
    assert ended.code in {2, 6}
    assert ended.err[0] == f"error: {message}"
    assert not Path("out").exists()


def test_ray_that_is_not_installed_is_named(compute, clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowcli.batch.engines.find_spec", lambda _: None)
    ended = compute("batch", clips, *SAVE, "--engine", "ray")
    assert (ended.code, *ended.err) == (
        2,
        "error: --engine ray needs Ray",
        "hint: pip install ray",
    )


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
    plans = json.loads("\n".join(ended.out))["clips"]
    computing = {clip["clip"]: clip["computing_seconds"] or 0 for clip in plans}
    assert known["day/a.mp4"] == known["night/shots"] == (3, 2)
    assert known["broken.mp4"] == (None, None)
    total = json.loads("\n".join(ended.out))["total"]
    assert (total["frames"], total["pairs"], total["error"]) == (9, 6, "1 cannot be computed")
    assert total["seconds"] == pytest.approx(9 / 25)
    assert total["computing_seconds"] == pytest.approx(sum(computing.values()))
    assert computing.pop("broken.mp4", 0) == 0
    assert min(computing.values()) > 0
    assert total["size_bytes"] == sum(path.stat().st_size for path in clips.rglob("*") if path.is_file())
    assert not Path("out").exists()


def test_a_dry_run_tells_which_clips_are_finished_and_which_outputs_are_in_the_way(compute, make_video) -> None:
    Path("clips").mkdir()
    for name in ("a.mp4", "b.mp4"):
        make_video(f"clips/{name}", frames=3)
    assert compute("batch", "clips", *SAVE).code == 0
    Path("out/b_flow.json").unlink()
    ended = compute("batch", "clips", *SAVE, "--dry-run", "--json")
    first, second = json.loads("\n".join(ended.out))["clips"]
    assert (first["finished"], first["computing_seconds"], first["error"]) == (True, 0, None)
    assert (second["finished"], second["error"]) == (False, "out/b_flow/000000.flo exists already")
    (again,) = json.loads("\n".join(compute("batch", "clips", *SAVE, "--dry-run", "--json", "-y").out))["clips"][1:]
    assert again["error"] is None and again["computing_seconds"] > 0
    assert any("finished" in line.split() for line in compute("batch", "clips", *SAVE, "--dry-run").out)


def test_a_batch_that_is_stopped_says_how_it_goes_on(compute, make_video, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("clips").mkdir()
    for name, frames in (("a.mp4", 2), ("b.mp4", 6)):
        make_video(f"clips/{name}", frames=frames)
    estimate, remaining = FlowEstimator.estimate_batch, [3]

    def estimate_or_stop(*arguments: Any) -> Any:
        remaining[0] -= 1
        if remaining[0] == 0:
            signal.raise_signal(signal.SIGTERM)
        return estimate(*arguments)

    monkeypatch.setattr(FlowEstimator, "estimate_batch", estimate_or_stop)
    line = ("batch", "clips", *SAVE, "--segment", 1)
    ended = compute(*line)
    assert (ended.code, ended.err[-2:]) == (
        143,
        [
            "error: stopped by TERM",
            "hint: 1 of 2 clips are done; run the same command again to continue",
        ],
    )
    assert len(list(Path("out/b_flow").glob("*.flo"))) == 1
    assert compute(*line).code == 0
    assert len(list(Path("out/b_flow").glob("*.flo"))) == 5


def test_what_another_program_wrote_is_not_taken_for_the_record(compute, clips: Path) -> None:
    Path("out").mkdir()
    Path("out/batch.json").write_text('{"items": [{"clip": 1}]}')
    ended = compute("batch", clips, *SAVE)
    assert (ended.code, ended.err[0]) == (2, "error: out/batch.json was not written by flowcli batch")
    assert Path("out/batch.json").read_text() == '{"items": [{"clip": 1}]}'


ODD = ["-y.mp4", "a b.mp4", "co:lon.mp4", "new\nline.mp4", "[x].mp4", "é–“q”.mp4", "100%.mp4", "q?*.mp4", "$HOME.mp4"]
BROKEN = {
    "empty.mp4": (b"", "is empty"),
    "text.mp4": (b"hello\n" * 9, "is text, not a video"),
    "bad\udcff.mp4": (b"<html><body>not found</body></html>", "is a web page, not a video"),
    "noise.mkv": (random.Random(0).randbytes(5000), "is not a video that can be read"),
}


def outputs_below(folder: str) -> dict[str, bytes]:
    kinds = (".flo", ".mp4")
    return {name: Path(folder, name).read_bytes() for name in files_below(folder) if name.endswith(kinds)}


def finished_in(folder: str) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in Path(folder).glob("*_flow.json")}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_hundred_clips_survive_kills_and_broken_neighbours(make_video, weights: Path) -> None:
    """Killed at three moments between 20 and 80 %; nothing finished is computed twice, nothing differs."""
    Path("clips").mkdir()
    for name in [*(f"{number:03d}.mp4" for number in range(200 - len(ODD))), *ODD]:
        make_video(f"clips/{name}", frames=3)
    whole = make_video("whole.mp4", frames=3).read_bytes()
    broken = {**BROKEN, "cut.mp4": (whole[: len(whole) // 2], "is cut off")}
    for name, (content, _) in broken.items():
        Path("clips", name).write_bytes(content)
    make_video("clips/one frame.mp4", frames=1)
    broken["one frame.mp4"] = (b"", "has only one frame")
    line = [sys.executable, "-m", "flowcli", "batch", "clips", "--weights", str(weights), "--iters", "1"]
    line += ["--save", "flo,video"]
    assert subprocess.run([*line, "-o", "whole"], check=False, capture_output=True).returncode == 4
    finished: dict[str, int] = {}
    for share in (0.2, 0.5, 0.8):
        process = subprocess.Popen([*line, "-o", "cut"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while len(finished_in("cut")) < 200 * share:
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert finished.items() <= finished_in("cut").items(), "something was computed twice"
        finished = finished_in("cut")
        assert 200 * share <= len(finished) < 200
    last = subprocess.run([*line, "-o", "cut"], check=False, capture_output=True)
    assert last.returncode == 4
    assert finished.items() <= finished_in("cut").items(), "something was computed twice"
    outputs = outputs_below("whole")
    assert len(outputs) == 600
    assert outputs_below("cut") == outputs
    failed = {item["clip"]: item for item in json.loads(Path("cut/batch.json").read_bytes())["items"] if item["error"]}
    assert failed.keys() == broken.keys()
    for name, (_, reason) in broken.items():
        assert reason in failed[name]["error"]
        assert failed[name]["hint"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's /proc")
def test_two_thousand_clips_take_no_more_files_and_memory_than_two_hundred(make_video, weights: Path) -> None:
    clip = make_video(frames=2).read_bytes()
    megabytes, files = {}, {}
    for count in (200, 2000):
        folder = Path(str(count))
        folder.mkdir()
        for number in range(count):
            (folder / f"{number:04d}.mp4").write_bytes(clip)
        line = [sys.executable, "-m", "flowcli", "batch", str(count), "--weights", str(weights), "--iters", "1"]
        process = subprocess.Popen([*line, "--save", "flo", "--report"], stdout=subprocess.DEVNULL)
        opened = []
        while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
            with contextlib.suppress(OSError):
                opened.append(len(list(Path(f"/proc/{process.pid}/fd").iterdir())))
            time.sleep(0.05)
        assert os.waitstatus_to_exitcode(ended[1]) == 0
        assert len(list(Path(f"{count}_flow").glob("*/*.flo"))) == count
        megabytes[count], files[count] = ended[2].ru_maxrss / 1024, max(opened)
    print(f"peak memory {megabytes} MB, open files {files}")
    assert megabytes[2000] - megabytes[200] < 50
    assert files[2000] <= files[200] + 5
