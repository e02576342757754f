"""A run that was cut off goes on, and ends as if it had not been."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from flowcli.cli.app import run
from flowcli.errors import UsageError
from flowcli.media.pyav import VideoReader, VideoWriter, join_videos
from flowcli.model.estimator import FlowEstimator
from flowcli.model.looks import Looks
from flowcli.pipeline.segments import in_segments
from flowcli.system.lock import Lock
from tests.outputs import files_below, times_of

pytestmark = pytest.mark.usefixtures("place", "no_thread_stays")

OPTIONS = ("--save", "video,flo,overlay", "--segment", 3, "--warm-start", "--direction", "both", "--max-flow", 5)
FOUND = ["clip_flow.json", "clip_flow.mp4", "clip_overlay.mp4"]


class Killed(BaseException):
    """Ends a run as a kill does: nothing is tidied up that a handler of ours would tidy."""


def cut_off(monkeypatch: pytest.MonkeyPatch, *, at: int) -> None:
    """Ends the run in the middle of computing its pair number `at`, from 1."""
    compute = FlowEstimator.estimate_batch
    calls = iter(range(1, 1000))

    def noted(*arguments: Any) -> Any:
        if next(calls) == at:
            raise Killed
        return compute(*arguments)

    monkeypatch.setattr(FlowEstimator, "estimate_batch", noted)


def pictures_of(path: Path) -> list[tuple[Fraction, bytes]]:
    with VideoReader(path) as reader:
        return [(frame.time, frame.image.tobytes()) for frame in reader.frames()]


def assert_same_outputs(folder: str, other: str) -> None:
    assert files_below(folder) == files_below(other)
    for name in sorted(files_below(folder), key=lambda name: not name.endswith(".flo")):
        mine, theirs = Path(folder, name), Path(other, name)
        if name.endswith(".mp4"):
            assert pictures_of(mine) == pictures_of(theirs), name
        elif name.endswith(".json"):
            assert json.loads(mine.read_bytes())["pairs"] == json.loads(theirs.read_bytes())["pairs"]
        else:
            assert mine.read_bytes() == theirs.read_bytes(), name


def test_segments_hold_a_fixed_number_of_pairs_and_the_last_the_rest() -> None:
    groups = [list(group) for group in in_segments(iter(range(8)), length=3)]  # type: ignore[arg-type]
    assert groups == [[0, 1, 2], [3, 4, 5], [6, 7]]
    assert not list(in_segments(iter([]), length=3))


@pytest.fixture(scope="module")
def whole(write_video, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with clip.mp4, and in `whole` what an uninterrupted run makes of it."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    clip = write_video(folder / "clip.mp4", frames=12)
    line = ["video", clip, *OPTIONS, "-o", folder / "whole", "--weights", weights, "--iters", 1]
    assert run([str(word) for word in line]) == 0
    return folder


@pytest.mark.parametrize("at", [1, 3, 4, 11])
def test_a_run_that_was_cut_off_ends_as_an_uninterrupted_one(compute, whole: Path, monkeypatch, at: int) -> None:
    Path("clip.mp4").write_bytes((whole / "clip.mp4").read_bytes())
    with monkeypatch.context() as patch:
        cut_off(patch, at=at)
        with pytest.raises(Killed):
            compute("video", "clip.mp4", *OPTIONS, "-o", "cut")
    assert not [name for name in files_below("cut") if name in FOUND]
    counted = []
    estimate = FlowEstimator.estimate_batch
    monkeypatch.setattr(FlowEstimator, "estimate_batch", lambda *a: (counted.append(1), estimate(*a))[1])
    assert compute("video", "clip.mp4", *OPTIONS, "-o", "cut", "--resume").code == 0
    assert len(counted) == 11 - (at - 1) // 3 * 3
    assert_same_outputs("cut", str(whole / "whole"))


def test_another_processor_goes_on_in_the_precision_that_the_run_began_in(compute, make_video, monkeypatch) -> None:
    make_video(frames=6)
    line = ("video", "clip.mp4", "--save", "flo", "--segment", 2)
    monkeypatch.setattr("flowcli.model.device.multiplies_bfloat16", lambda: True)
    assert compute(*line, "-o", "whole").code == 0
    with monkeypatch.context() as patch:
        cut_off(patch, at=4)
        with pytest.raises(Killed):
            compute(*line, "-o", "cut")
    monkeypatch.setattr("flowcli.model.device.multiplies_bfloat16", lambda: False)
    assert compute(*line, "-o", "cut", "--resume").code == 0
    assert json.loads(Path("cut/clip_flow.json").read_bytes())["settings"]["precision"] == "bfloat16"
    assert_same_outputs("cut", "whole")


def test_a_fuller_machine_goes_on_with_as_many_threads_for_each_pair(compute, make_video, monkeypatch) -> None:
    """Fewer pairs fit there at once, which would leave each of them more threads, and another rounding."""
    make_video(frames=6)
    line = ("video", "clip.mp4", "--save", "flo", "--segment", 2)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert compute(*line, "-o", "whole").code == 0
        with monkeypatch.context() as patch:
            cut_off(patch, at=2)
            with pytest.raises(Killed):
                compute(*line, "-o", "cut")
        monkeypatch.setattr("flowcli.model.estimator.free_bytes", lambda _: 200 * 2**20)
        assert compute(*line, "-o", "cut", "--resume").code == 0
    finally:
        torch.set_num_threads(threads)
    assert_same_outputs("cut", "whole")


def test_a_run_in_which_nothing_has_moved_yet_goes_on(compute, make_images, monkeypatch) -> None:
    shots = make_images(count=6)
    for still in ("1.png", "2.png"):
        (shots / still).write_bytes((shots / "0.png").read_bytes())
    line = ("video", "shots", "--save", "flo", "--segment", 2, "--warm-start", "--refine", "variational")
    assert compute(*line, "-o", "whole").code == 0
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Looks, "at_full_size", Mock(side_effect=Killed))
        compute(*line, "-o", "cut")
    assert compute(*line, "-o", "cut", "--resume").code == 0
    assert_same_outputs("cut", "whole")


@pytest.mark.parametrize("skip", [1, 2])
def test_segments_do_not_show_in_the_times(compute, make_video, skip: int) -> None:
    rate = Fraction(30000, 1001)
    make_video(frames=9, rate=rate)
    assert compute("video", "clip.mp4", "--segment", 2, "--skip", skip).code == 0
    assert times_of("clip_flow.mp4") == [index / rate for index in range(0, 9 - skip, skip)]
    with VideoReader(Path("clip_flow.mp4")) as reader:
        assert reader.rate == rate / skip


def test_resuming_a_finished_run_writes_nothing_and_is_a_success(compute, make_video) -> None:
    make_video(frames=3)
    assert compute("video", "clip.mp4", "-o", "out").code == 0
    before = {name: Path("out", name).stat().st_mtime_ns for name in files_below("out")}
    ended = compute("video", "clip.mp4", "-o", "out", "--resume")
    assert (ended.code, ended.out) == (0, ["out/clip_flow.mp4"])
    assert {name: Path("out", name).stat().st_mtime_ns for name in files_below("out")} == before


@pytest.mark.parametrize("name", ["shots", "shots/%d.png"])
def test_images_that_changed_are_not_taken_for_those_of_a_finished_run(compute, make_images, name: str) -> None:
    shots = make_images(count=3)
    line = ("video", name, "--save", "flo", "-o", "out")
    assert compute(*line).code == 0
    (shots / "Thumbs.db").write_bytes(b"made by a file manager")
    assert compute(*line, "--resume").code == 0
    (shots / "1.png").write_bytes((shots / "0.png").read_bytes())
    ended = compute(*line, "--resume")
    assert (ended.code, ended.err[0]) == (2, "error: out/shots_flow/000000.flo exists already")


def test_a_source_that_changes_while_it_is_computed_is_told(compute, make_images, make_video, monkeypatch) -> None:
    make_images(count=3)
    make_video("shots.mp4", frames=3)
    estimate = FlowEstimator.estimate_batch

    def changing(*arguments: Any) -> Any:
        make_video("shots.mp4", frames=4)
        Path("shots/9.png").write_bytes(Path("shots/1.png").read_bytes())
        return estimate(*arguments)

    monkeypatch.setattr(FlowEstimator, "estimate_batch", changing)
    for name in ("shots", "shots.mp4"):
        ended = compute("video", name, "--save", "flo", "-o", name.replace(".", "-"))
        assert (ended.code, ended.err[-2]) == (4, f"error: {name} changed while its flow was computed")


def test_files_that_vanish_during_a_run_or_after_it_are_missed(compute, make_images, monkeypatch) -> None:
    make_images(count=4)
    line = ("video", "shots", "--save", "flo", "-o", "out", "--segment", 1)
    estimate, gone = FlowEstimator.estimate_batch, Path("out/shots_flow/000000.flo")

    def removing(self: Any, batch: Any, *arguments: Any) -> Any:
        if batch[0].first.index == 2:
            gone.unlink()
        return estimate(self, batch, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(FlowEstimator, "estimate_batch", removing)
        ended = compute(*line)
    assert (ended.code, ended.err[-2]) == (7, f"error: {gone} was written, and is gone")
    assert not Path("out/shots_flow.json").exists()
    assert compute(*line, "-y").code == 0
    gone.unlink()
    assert compute(*line, "--resume").err[0] == "error: out/shots_flow/000001.flo exists already"


def test_a_run_among_its_own_images_is_resumed(compute, make_images, monkeypatch: pytest.MonkeyPatch) -> None:
    make_images(count=5)
    line = ("video", "shots", "--save", "flo,video", "-o", "shots", "--segment", 1)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        cut_off(patch, at=3)
        compute(*line)
    assert compute(*line, "--resume").code == 0
    assert compute(*line, "--resume").out == ["shots/shots_flow", "shots/shots_flow.mp4"]


def test_resuming_where_nothing_is_begins(compute, make_video) -> None:
    make_video(frames=3)
    assert compute("video", "clip.mp4", "-o", "out", "--resume").code == 0
    assert files_below("out") == ["clip_flow.json", "clip_flow.mp4"]


@pytest.fixture
def unfinished(place, compute, make_video, monkeypatch) -> None:
    """A run in `out` that was cut off after its first segment."""
    make_video(frames=9)
    with monkeypatch.context() as patch:
        cut_off(patch, at=5)
        with pytest.raises(Killed):
            compute("video", "clip.mp4", "--save", "video,flo", "--segment", 3, "--max-flow", 5, "-o", "out")


@pytest.mark.usefixtures("unfinished")
def test_an_unfinished_run_is_neither_forgotten_nor_mixed_with_another(compute, make_video) -> None:
    line = ["video", "clip.mp4", "--save", "video,flo", "--segment", 3, "-o", "out"]
    ended = compute(*line, "--max-flow", 5)
    assert (ended.code, ended.err) == (
        2,
        [
            "error: an unfinished run of the same name is in out/.clip_flow.run",
            "hint: --resume continues it, -y starts over",
        ],
    )
    ended = compute(*line, "--max-flow", 6, "--resume")
    assert (ended.code, ended.err[0]) == (
        2,
        "error: the unfinished run in out/.clip_flow.run differs: its max_flow was 5 and is now 6",
    )
    make_video(frames=8)
    ended = compute(*line, "--max-flow", 5, "--resume")
    assert ended.code == 2
    assert "differs: its input was" in ended.err[0]
    assert compute(*line, "--max-flow", 5, "--resume", "-y").code == 0
    assert len(list(Path("out/clip_flow").glob("*.flo"))) == 7


@pytest.mark.usefixtures("unfinished")
def test_overwriting_starts_anew_and_leaves_nothing_of_the_unfinished_run(compute) -> None:
    assert compute("video", "clip.mp4", "--skip", 4, "--save", "video,flo", "-o", "out", "-y").code == 0
    assert files_below("out") == ["clip_flow.json", "clip_flow.mp4", "clip_flow/000000.flo", "clip_flow/000004.flo"]


@pytest.mark.usefixtures("unfinished")
def test_finished_segments_of_an_unfinished_run_can_be_played(compute) -> None:
    assert times_of("out/.clip_flow.run/000000/clip_flow.mp4") == [Fraction(index, 25) for index in range(3)]


def test_a_second_run_in_the_same_place_is_refused_with_the_first_ones_pid(compute, make_video) -> None:
    make_video(frames=3)
    lock = Lock(Path("out/.clip_flow.run"))
    ended = compute("video", "clip.mp4", "-o", "out")
    lock.release()
    assert (ended.code, ended.err[0]) == (
        2,
        f"error: another run writes there: process {os.getpid()} holds out/.clip_flow.run",
    )


def test_a_lock_is_free_once_its_holder_is_dead() -> None:
    code = "import os, pathlib; from flowcli.system.lock import Lock; Lock(pathlib.Path('held')); os._exit(1)"
    subprocess.run([sys.executable, "-c", code], check=False)
    lock = Lock(Path("held"))
    with pytest.raises(UsageError, match=f"process {os.getpid()} holds held"):
        Lock(Path("held"))
    lock.release()


def test_videos_are_joined_without_touching_a_picture_or_a_time() -> None:
    tick = Fraction(1, 90000)
    times = [Fraction(number * 3003 + 17 * (number % 3), 90000) for number in range(14)]
    noise = np.random.default_rng(0).integers(0, 255, (14, 48, 64, 3), np.uint8)
    parts = [Path(f"{number}.mp4") for number in range(3)]
    for number, part in enumerate(parts):
        writer = VideoWriter(part, rate=Fraction(30000, 1001), tick=tick)
        for index in range(5 * number, min(5 * number + 5, 14)):
            writer.write(noise[index], time=times[index])
        writer.close()
    join_videos([(part, times[5 * number]) for number, part in enumerate(parts)], Path("joined.mp4"))
    separate = [picture for part in parts for _, picture in pictures_of(part)]
    assert pictures_of(Path("joined.mp4")) == list(zip(times, separate, strict=True))


@pytest.mark.slow
def test_a_run_killed_at_random_moments_ends_as_an_uninterrupted_one(make_video, weights) -> None:
    """Three moments between 20 and 80 % of the run, by SIGKILL, in processes of their own."""
    make_video(frames=60)
    line = [
        sys.executable,
        "-m",
        "flowcli",
        "video",
        "clip.mp4",
        "--weights",
        weights,
        "--iters",
        "4",
        "--segment",
        "7",
    ]
    line = [*map(str, line), "--save", "video,flo", "--warm-start"]
    subprocess.run([*line, "-o", "whole"], check=True, capture_output=True)
    choice = random.Random(1)
    for number in range(3):
        folder = f"cut{number}"
        process = subprocess.Popen([*line, "-o", folder], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        done = round(59 * choice.uniform(0.2, 0.8))
        while process.poll() is None and not Path(folder, f"clip_flow/{done:06d}.flo").exists():
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        subprocess.run([*line, "-o", folder, "--resume"], check=True, capture_output=True)
        assert_same_outputs(folder, "whole")
