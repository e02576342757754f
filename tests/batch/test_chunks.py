"""Clips in chunks: as if each chunk were a clip of its own, but in one output with one colour scale."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowcli.batch import work
from flowcli.errors import SourceError
from flowcli.flow.formats.flo import read
from tests.outputs import files_below, times_of

pytestmark = pytest.mark.usefixtures("place", "no_thread_stays")


@pytest.fixture
def clip(place: Path, make_video) -> Path:
    """Eleven frames at uneven times, two of them key frames."""
    (place / "clips").mkdir()
    pts = [0, 2, 3, 5, 9, 10, 12, 13, 17, 18, 20]
    return make_video("clips/long.mkv", frames=11, pts=pts, tick=Fraction(1, 50), codec="ffv1")


def report(folder: str = "out") -> dict[str, Any]:
    return json.loads(Path(folder, "long_flow.json").read_bytes())


def flows(folder: str) -> dict[str, np.ndarray]:
    return {path.name: read(path) for path in sorted(Path(folder, "long_flow").glob("*.flo"))}


@pytest.mark.parametrize(
    ("options", "splits"),
    [
        ([], (1, 4)),
        (["--skip", 2], (3,)),
        (["--skip", 2, "--sliding"], (4,)),
        (["--start", "#1", "--max-frames", 8], (3,)),
    ],
)
def test_chunks_give_the_flow_of_the_whole(compute, clip: Path, options: list[object], splits: tuple[int, ...]) -> None:
    assert compute("batch", "clips", "--save", "flo", "-o", "whole", *options).code == 0
    whole = flows("whole")
    for split in splits:
        out = f"out{split}"
        assert compute("batch", "clips", "--save", "flo", "-o", out, *options, "--split", split).code == 0
        chunks = flows(out)
        assert whole.keys() == chunks.keys()
        # A chunk encodes its first two frames together, which rounds otherwise than one after another.
        assert all(np.abs(whole[name] - chunks[name]).max() < 1e-5 for name in whole)
        assert [pair | {"warm": False} for pair in report("whole")["pairs"]] == report(out)["pairs"]
        assert not [name for name in files_below(out) if ".run/" in name and name.startswith(".long")]


def test_a_chunk_starts_cold_and_what_follows_in_it_warm(compute, clip: Path) -> None:
    assert compute("batch", clip.parent, "--save", "flo", "-o", "out", "--split", 3, "--warm-start").code == 0
    assert [pair["warm"] for pair in report()["pairs"]] == [number % 3 > 0 for number in range(10)]


def test_a_video_of_chunks_is_one_with_the_times_of_the_source(compute, clip: Path) -> None:
    assert compute("batch", clip.parent, "--save", "video,stats", "-o", "out", "--split", 4).code == 0
    assert times_of("out/long_flow.mp4") == times_of(str(clip))[:10]
    assert len(json.loads(Path("out/long_stats.json").read_bytes())["pairs"]) == 10


def test_chunks_that_are_done_are_not_computed_again(compute, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, computed = work.compute_chunk, []

    def failing(task: Any, chunk: Any, **options: Any) -> int:
        if chunk.number == 1 and failing.broken:
            raise SourceError("oh", hint="no")
        flows = real(task, chunk, **options)
        computed.append((chunk.number, flows))
        return flows

    failing.broken = True
    monkeypatch.setattr(work, "compute_chunk", failing)
    line = ("batch", "clips", "--save", "flo", "-o", "out", "--split", 4)
    assert compute(*line).code == 4
    assert computed == [(0, 4), (2, 2)]
    assert json.loads(Path("out/batch.json").read_bytes())["items"][0]["error"] == "oh"
    failing.broken = False
    computed.clear()
    assert compute(*line, "--retry-failed").code == 0
    assert computed == [(0, 0), (1, 4), (2, 0)]
    assert report()["flows"] == 10


def test_a_container_that_promises_too_much_makes_empty_chunks(
    compute, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "count_chunks", lambda *_: 6)
    assert compute("batch", clip.parent, "--save", "flo,video", "-o", "out", "--split", 3).code == 0
    assert report()["flows"] == 10


def test_frames_lost_in_any_chunk_are_counted(compute, make_images) -> None:
    Path("clips").mkdir()
    for name in ("2.png", "7.png"):
        (make_images("clips/long", count=9) if name == "2.png" else Path("clips/long")).joinpath(name).write_bytes(b"")
    assert compute("batch", "clips", "--save", "flo", "-o", "out", "--split", 3).code == 4
    assert (report()["lost_frames"], report()["flows"]) == (2, 4)


def test_short_clips_stay_whole(compute, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "start_chunks", lambda *_, **__: pytest.fail("it was cut"))
    assert compute("batch", clip.parent, "--save", "flo", "-o", "out", "--split", 10).code == 0


def test_a_start_in_seconds_cannot_be_split(compute, clip: Path) -> None:
    ended = compute("batch", clip.parent, "--save", "flo", "-o", "out", "--split", 3, "--start", "0.1")
    assert (ended.code, ended.err[0]) == (2, "error: --split needs --start as a frame, not 0.1 s")


def test_two_processes_share_the_chunks_of_a_clip_even_after_a_kill(compute, make_video, weights: Path) -> None:
    Path("clips").mkdir()
    make_video("clips/long.mp4", frames=30)
    line = ["batch", "clips", "--save", "flo", "--iters", "1", "--precision", "fp32"]
    line += ["--weights", str(weights), "--split", "3", "-o"]
    running = subprocess.Popen(
        [sys.executable, "-m", "flowcli", *line, "out", "--workers", "2"], stderr=subprocess.DEVNULL
    )
    while len(list(Path("out/.long_flow.run").glob("*/segment.json"))) < 2:
        assert running.poll() is None
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert compute(*line, "out").code == 0
    assert compute(*line, "whole").code == 0
    whole, chunks = flows("whole"), flows("out")
    assert len(whole) == 29
    assert all(np.array_equal(whole[name], chunks[name]) for name in whole)
