from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flowcli.flow.outputs._writers import Video
from flowcli.model.estimator import FlowEstimator
from flowcli.pipeline.run import Run
from tests.outputs import files_below, times_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowcli.media.frames import FramePair

SIGNALS = [("SIGINT", 130, "Ctrl-C"), ("SIGTERM", 143, "TERM"), ("SIGHUP", 129, "HUP")]

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="Windows knows neither TERM nor HUP"),
    pytest.mark.usefixtures("place", "no_thread_stays"),
]


def signal_at(call: int, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sends the signal while that batch is computed."""
    compute_batch = FlowEstimator.estimate_batch
    calls = iter(range(1, 1000))

    def noted(*arguments: Any) -> Any:
        if next(calls) == call:
            signal.raise_signal(getattr(signal, name))
        return compute_batch(*arguments)

    monkeypatch.setattr(FlowEstimator, "estimate_batch", noted)


@pytest.mark.parametrize("sent", SIGNALS)
def test_a_signal_keeps_what_is_done_under_a_partial_name(
    compute, make_video, monkeypatch, sent: tuple[str, int, str]
) -> None:
    name, code, spoken = sent
    make_video(frames=9)
    signal_at(4, name, monkeypatch)
    ended = compute("video", "clip.mp4", "--save", "video,flo", "--max-flow", 5, "-o", "out")
    assert (ended.code, ended.out) == (code, [])
    assert ended.err == [
        f"error: stopped by {spoken}",
        "hint: finished flow is in out/clip_flow.partial.mp4, out/clip_flow; --resume continues",
    ]
    kept = [name for name in files_below("out") if not name.startswith(".")]
    assert kept == ["clip_flow.partial.mp4", *(f"clip_flow/{index:06d}.flo" for index in range(3))]
    assert times_of("out/clip_flow.partial.mp4") == [Fraction(index, 25) for index in range(3)]


@pytest.mark.parametrize("moment", ["colour scale", "first pair"])
def test_a_signal_before_the_first_flow_leaves_nothing(compute, make_video, monkeypatch, moment: str) -> None:
    make_video(frames=4)
    signal_at(1, "SIGTERM", monkeypatch)
    scale = ["--max-flow", 5] if moment == "first pair" else []
    ended = compute("video", "clip.mp4", "--save", "video,flo", "-o", "new", *scale)
    assert (ended.code, ended.err[0], len(ended.err)) == (143, "error: stopped by TERM", 2)
    assert not Path("new").exists()


@pytest.mark.parametrize("fetched", [1, 2, 3])
def test_a_signal_while_a_pair_is_fetched_never_makes_a_part_look_finished(
    compute, make_video, monkeypatch, fetched: int
) -> None:
    make_video(frames=9)
    write_segments = Run.write_segments

    def interrupted(pairs: Iterator[FramePair]) -> Iterator[FramePair]:
        for number, pair in enumerate(pairs):
            if number == fetched:
                signal.raise_signal(signal.SIGTERM)
            yield pair

    with monkeypatch.context() as patched:
        patched.setattr(Run, "write_segments", lambda run, pairs, *more: write_segments(run, interrupted(pairs), *more))
        assert compute("video", "clip.mp4", "--save", "flo", "--segment", 2).code == 143
    assert not Path("clip_flow.json").exists()
    assert compute("video", "clip.mp4", "--save", "flo", "--segment", 2, "--resume").code == 0
    assert len(list(Path("clip_flow").iterdir())) == 8


def test_a_second_signal_aborts(compute, make_video, monkeypatch) -> None:
    make_video(frames=9)
    signal_at(4, "SIGINT", monkeypatch)
    monkeypatch.setattr(Video, "finish_partial", lambda self: signal.raise_signal(signal.SIGINT))
    ended = compute("video", "clip.mp4", "--max-flow", 5, "-o", "new")
    assert (ended.code, ended.err) == (130, ["error: stopped by Ctrl-C", "hint: nothing unfinished was kept"])
    assert not Path("new").exists()


def test_a_signal_while_outputs_are_completed_is_too_late(compute, make_video, monkeypatch) -> None:
    make_video(frames=3)
    close = Video.close

    def interrupted(self: Video) -> None:
        signal.raise_signal(signal.SIGTERM)
        close(self)

    monkeypatch.setattr(Video, "close", interrupted)
    assert compute("video", "clip.mp4", "-o", "out").code == 0
    assert files_below("out") == ["clip_flow.json", "clip_flow.mp4"]


def test_a_process_that_is_told_to_stop_ends_at_once_with_a_playable_video(make_images, weights) -> None:
    folder = make_images(count=40)
    line = [
        sys.executable,
        "-m",
        "flowcli",
        "video",
        folder,
        "--save",
        "video,flo",
        "--weights",
        weights,
        "--iters",
        "60",
    ]
    process = subprocess.Popen([*map(str, line), "-o", "out"], stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not Path("out/shots_flow/000001.flo").exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    started = time.monotonic()
    error = process.communicate(timeout=60)[1]
    # Three seconds are promised; a busy machine gets more here.
    assert time.monotonic() - started < 10
    assert (process.returncode, error.splitlines()[0]) == (143, "error: stopped by TERM")
    assert 1 <= len(times_of("out/shots_flow.partial.mp4")) < 39
