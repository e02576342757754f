"""What the Python interface refuses, and what it leaves as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import flowcli
from raft_core.raft import RAFT

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def model() -> RAFT:
    return RAFT()


IMAGE = np.zeros((48, 64, 3), np.uint8)


@pytest.mark.parametrize(
    ("first", "second", "error", "message"),
    [
        (IMAGE, IMAGE.astype(np.int64), TypeError, "second: a frame is uint8, uint16 or .*, got int64"),
        (IMAGE.astype(np.float32) + 200, IMAGE, ValueError, "first: .* are from 0 to 1, got values from 200 to 200"),
        (IMAGE / 255 - 1, IMAGE, ValueError, "first: .* got values from -1 to -1"),
        (IMAGE * np.nan, IMAGE, ValueError, "first: .* got values from nan to nan"),
        (IMAGE, IMAGE[1:], ValueError, r"first and second differ in size: \(48, 64, 3\) and \(47, 64, 3\)"),
        (IMAGE[None], IMAGE, ValueError, r"first and second differ: \(1, 48, 64, 3\) and \(48, 64, 3\)"),
        (IMAGE[:, :0], IMAGE, ValueError, r"first: a frame is \(height, width, 3\), got \(48, 0, 3\)"),
        (IMAGE[..., :2], IMAGE, ValueError, r"first: a frame is \(height, width, 3\), got \(48, 64, 2\)"),
        (IMAGE[None][:0], IMAGE[None][:0], ValueError, r"first is an empty batch, of shape \(0, 48, 64, 3\)"),
        (IMAGE, torch.zeros(3, 9, 9), TypeError, "both tensors or both arrays, got ndarray and Tensor"),
        (torch.zeros(9, 9, 3), torch.zeros(9, 9, 3), ValueError, r"first: .* \(3, height, width\), got \(9, 9, 3\)"),
        ("a.png", "b.png", TypeError, "first: a frame is an array, a tensor or a PIL image, got str"),
    ],
)
def test_images_that_are_none_are_refused_by_name(model: RAFT, first, second, error, message: str) -> None:
    with pytest.raises(error, match=message):
        flowcli.estimate(first, second, weights=model)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"quality": "fst"}, ValueError, "quality is one of fast, balanced, best, exact, got 'fst'"),
        ({"quality": 3}, TypeError, "quality is one of fast, balanced, best, exact, got 3"),
        ({"refine": "all"}, ValueError, "refine is one of auto, learned, variational, none, got 'all'"),
        ({"direction": "back"}, ValueError, "direction is one of forward, backward, both, got 'back'"),
        ({"precision": "fp8"}, ValueError, "precision is one of auto, fp32, bf16, fp16, got 'fp8'"),
        ({"iterations": 0}, ValueError, "iterations is a whole number of at least 1 or 'auto', got 0"),
        ({"iterations": "12"}, ValueError, "iterations is a whole number of at least 1 or 'auto', got '12'"),
        ({"iterations": 2.5}, TypeError, "iterations is a whole number of at least 1 or 'auto', got 2.5"),
        ({"batch": True}, TypeError, "batch is a whole number of at least 1 or 'auto', got True"),
        ({"max_side": "64"}, TypeError, "max_side is a whole number of at least 1, got '64'"),
        ({"scale": 0}, ValueError, "scale is a number above 0 and at most 8, got 0"),
        ({"tolerance": "1"}, TypeError, "tolerance is a number above 0, got '1'"),
        ({"warm_start": 1}, TypeError, "warm_start is True or False, got 1"),
        ({"device": "gpu"}, ValueError, "device is auto, cpu, .*, got 'gpu'"),
        ({"device": 0}, TypeError, "device is auto, cpu, .*, got 0"),
        ({"levels": "dark"}, ValueError, "levels: --levels dark is not a range; use auto, full, or two"),
        ({"memory": "much"}, ValueError, "memory: 'much' is not an amount of memory; write it like 800M"),
        ({"occlusion_relative": -1}, ValueError, "occlusion_relative is a number of at least 0, got -1"),
        ({"weights": 5}, TypeError, "weights are a name, a path or a model, got 5"),
        ({"weights": RAFT().half()}, ValueError, "weights are a model in float32, got one in torch.float16; precision"),
        ({"iters": 5}, TypeError, "'iters'"),
        ({"initial_flow": IMAGE}, ValueError, r"initial_flow is \(48, 64, 2\), got \(48, 64, 3\)"),
        ({"initial_flow": torch.zeros(2, 48, 64)}, TypeError, "initial_flow .* ndarray, got Tensor"),
    ],
)
def test_options_that_are_wrong_are_refused_by_name(model: RAFT, options: dict, error, message: str) -> None:
    with pytest.raises(error, match=message):
        flowcli.estimate(IMAGE, IMAGE, **{"weights": model, **options})


@pytest.mark.parametrize(
    ("part", "error", "message"),
    [
        ({"skip": 0}, ValueError, "skip is a whole number of at least 1, got 0"),
        ({"skip": "2"}, TypeError, "skip is a whole number of at least 1, got '2'"),
        ({"sliding": 1}, TypeError, "sliding is True or False, got 1"),
        ({"sample_fps": -1}, ValueError, "sample_fps is a number above 0 and at most 1e[+]06, got -1"),
        ({"fps": []}, TypeError, r"fps is a number above 0 .*, got \[\]"),
        ({"start": -1.0}, ValueError, "start is at least 0 s, got -1.0"),
        (
            {"start": 2, "end": "1"},
            ValueError,
            "start and end: --end 1 is not after --start 2.0+; ",
        ),
        ({"sample_fps": "fast"}, ValueError, "sample_fps: the text fast is not a frame rate; write 30"),
        ({"end": [1]}, TypeError, r"end is seconds, or text .*, got \[1\]"),
        ({"max_frames": 1}, ValueError, "max_frames is a whole number of at least 2, got 1"),
        ({"reference": -1}, ValueError, "reference is a whole number of at least 0, got -1"),
        ({"reference": 3}, ValueError, "reference: --reference 3 is not a frame of the input; "),
        ({"reference": 0, "skip": 2}, ValueError, "reference: --reference cannot be combined with --skip; "),
        ({"stride": 1}, TypeError, "'stride'"),
    ],
)
def test_a_part_of_a_video_that_is_wrong_is_refused_by_name(model: RAFT, part: dict, error, message: str) -> None:
    with pytest.raises(error, match=message):
        flowcli.video(np.zeros((3, 48, 64, 3), np.uint8), weights=model, **part)


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (5, TypeError, "source is a path or an iterable of frames, got int"),
        (IMAGE, ValueError, r"an array of frames is \(frames, height, width, 3\), got \(48, 64, 3\)"),
        (torch.zeros(3, 48, 64), ValueError, r"a tensor of frames is \(frames, 3, height, width\), got \(3, 48, 64\)"),
        (["a.png", "b.png"], TypeError, "frame 0: a frame is an array, a tensor or a PIL image, got str"),
    ],
)
def test_what_are_no_frames_is_refused_at_the_call(model: RAFT, source, error, message: str) -> None:
    with pytest.raises(error, match=message):
        flowcli.video(source, weights=model)


@pytest.mark.parametrize(
    ("later", "error", "message"),
    [
        (IMAGE[1:], ValueError, r"frame 1 is \(47, 64, 3\), but the first is \(48, 64, 3\)"),
        (None, TypeError, "frame 1: a frame is an array, a tensor or a PIL image, got NoneType"),
    ],
)
def test_a_later_frame_that_does_not_fit_is_refused_when_it_comes(model: RAFT, later, error, message: str) -> None:
    with pytest.raises(error, match=message):
        list(flowcli.video(iter([IMAGE, later]), weights=model))


def test_importing_loading_and_estimating_leave_the_process_as_it_was() -> None:
    probe = """
import os, random, signal, threading, numpy, torch
def state():
    handlers = [signal.getsignal(number) for number in signal.valid_signals()]
    drawn = random.getstate(), str(numpy.random.get_state()), torch.get_rng_state().tolist()
    return dict(os.environ), drawn, handlers, threading.enumerate(), torch.get_num_threads(), torch.is_grad_enabled()
before = state()
import flowcli
estimator = flowcli.Estimator(flowcli.load(), iterations=1, device="cpu")
image = numpy.zeros((64, 64, 3), numpy.uint8)
estimator.estimate(image, image)
list(estimator.video([image, image]))
after = state()
assert before == after, [pair for pair in zip(before, after) if pair[0] != pair[1]]
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment = {name: value for name, value in environment.items() if not name.startswith(("OPENCV_", "QT_"))}
    subprocess.run([sys.executable, "-c", probe], check=True, env=environment)


TYPED = """
from pathlib import Path
from typing import Any, Iterator, assert_type
import numpy as np
from numpy.typing import NDArray
from torch import Tensor
import flowcli
from flowcli.api import Flows

Array = NDArray[Any]

def camera() -> Iterator[NDArray[np.uint8]]:
    yield np.zeros((8, 8, 3), np.uint8)

def arrays(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
    result = flowcli.estimate(first, second, direction="both", max_side=64, quality="fast", refine="none")
    known: NDArray[np.bool_] | None = result.occlusion
    count: int = result.iterations
    assert_type(result.flow, Array)
    return result.flow

def tensors(first: Tensor, second: Tensor, start: Tensor) -> Tensor:
    assert_type(flowcli.estimate(first, second, initial_flow=start).backward, Tensor | None)
    return flowcli.estimate(first, second).flow

def videos(clip: Tensor, frames: list[Tensor]) -> None:
    assert_type(flowcli.video(Path("a.mp4"), skip=2, sample_fps=10), Flows[Array])
    assert_type(flowcli.video("a.mp4", start=1.5, weights=flowcli.load()), Flows[Array])
    assert_type(flowcli.video(camera(), fps=30), Flows[Array])
    assert_type(flowcli.video(clip), Flows[Tensor])
    assert_type(flowcli.video(frames), Flows[Tensor])
    estimator = flowcli.Estimator("raft-small", device="cpu", iterations=4)
    for result in estimator.video(camera()):
        print(result.flow.shape, result.pair.first.source_index)

flowcli.estimate(1, 2)
flowcli.video("a.mp4", stride=2)
flowcli.Estimator(direction="back")
"""


@pytest.mark.slow
def test_a_typed_users_file_is_checked_from_outside(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    (tmp_path / "user.py").write_text(TYPED)
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={ROOT / '.mypy_cache'}", "user.py"],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    # The last three lines of the file are wrong.
    last = len(TYPED.splitlines())
    assert sorted({int(line.split(":")[1]) for line in run.stdout.splitlines() if ": error:" in line}) == [
        *(last - 2, last - 1, last)
    ], run.stdout
