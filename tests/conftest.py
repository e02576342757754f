"""Fixtures shared by all tests: commands, and videos, images and estimates made in code."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowcli.flow.estimate import Estimate
from flowcli.media.frames import Frame, FramePair

# On the tests' small images, more threads are slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A background job ignores SIGINT, and nohup SIGHUP, in every child process too.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """None, which lets all quick tests share the cores; 0 for chosen tests, which one process shows better."""
    chosen = config.args_source is config.ArgsSource.ARGS or config.option.keyword or config.option.capture == "no"
    return None if not chosen and config.option.markexpr.startswith("not slow") else 0


def quarters(width: int = 64, height: int = 48, *, shift: int = 0) -> np.ndarray:
    """An image of four quarters (red, green, blue, white), which differs from its rotations and mirrorings."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = (200, 0, 0)
    image[: height // 2, width // 2 :] = (0, 200, 0)
    image[height // 2 :, : width // 2] = (0, 0, 200)
    image[height // 2 :, width // 2 :] = (200, 200, 200)
    image[4 + shift : 12 + shift, 4:12] = 90
    return image


@pytest.fixture(scope="session", autouse=True)
def no_fast_bfloat16() -> Iterator[None]:
    """Makes `--precision auto` float32 on every processor, in fixtures of whole modules too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flowcli.model.device.multiplies_bfloat16", lambda: False)
        yield


@pytest.fixture(scope="session")
def write_video():
    """Writes a video and returns its path; `prepare` gets the stream before the first frame."""

    def write(
        path: Path,
        *,
        images: list[np.ndarray] | None = None,
        frames: int = 10,
        rate: Fraction = Fraction(25),
        pts: list[int] | None = None,
        tick: Fraction | None = None,
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        options: dict[str, str] | None = None,
        prepare: Any = None,
    ) -> Path:
        import av

        shown = images if images is not None else [quarters(shift=i) for i in range(frames)]
        with av.open(str(path), "w", options=options or {}) as container:
            stream: Any = container.add_stream(codec, rate=rate)
            stream.height, stream.width = shown[0].shape[:2]
            stream.pix_fmt = pix_fmt
            if tick is not None:
                stream.codec_context.time_base = tick
            if prepare is not None:
                prepare(stream)
            for number, image in enumerate(shown):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                if pts is not None:
                    frame.pts, frame.time_base = pts[number], tick
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return write


@pytest.fixture
def make_video(write_video, tmp_path: Path):
    """Writes a video of this name to the test's folder, as `write_video` does."""
    return lambda name="clip.mp4", **options: write_video(tmp_path / name, **options)


@pytest.fixture
def make_estimate():
    """Makes an estimate of the given flow (height, width, 2), or of zero flow."""

    def make(
        flow: np.ndarray | None = None,
        *,
        backward: np.ndarray | None = None,
        occluded: np.ndarray | None = None,
        index: int = 0,
        time: Fraction | None = None,
        size: tuple[int, int] = (48, 64),
    ) -> Estimate:
        import torch

        flow = np.zeros((*size, 2), np.float32) if flow is None else flow.astype(np.float32)
        height, width = flow.shape[:2]
        start = Fraction(index, 25) if time is None else time
        first = Frame(index, start, quarters(width, height))
        second = Frame(index + 1, start + Fraction(1, 25), quarters(width, height, shift=1))
        forward = torch.from_numpy(flow).permute(2, 0, 1)
        return Estimate(
            FramePair(first, second, continues=False),
            forward,
            iterations=12,
            warm=False,
            backward=None if backward is None else torch.from_numpy(backward.astype(np.float32)).permute(2, 0, 1),
            occluded=None if occluded is None else torch.from_numpy(occluded),
        )

    return make


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained weights of RAFT-small, for tests that do not depend on accurate flow."""
    import torch

    from raft_core import checkpoint
    from raft_core.raft import RAFT

    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        checkpoint.save(RAFT(), path)
    return path


WAIT = re.compile(r"; (\d+\.\d s in all)$")


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, and the lines it wrote; the wait that a summary ends with stands apart."""

    code: int
    out: list[str]
    err: list[str]
    waited: list[str]


@pytest.fixture
def flowcli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Runs a command line in this process, on a terminal of 80 columns."""
    from flowcli.cli.app import run

    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments: object) -> Ended:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        lines = [WAIT.split(line)[:2] for line in err.splitlines()]
        return Ended(
            code, out.splitlines(), [line[0] for line in lines], [wait for _, *waits in lines for wait in waits]
        )

    return call


@pytest.fixture(scope="session")
def load_once():
    """`load` of weights, which keeps the models: to load one takes as long as a pair's flow."""
    from flowcli.model.weights import load

    return cache(load)


@pytest.fixture
def loaded(load_once, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands use the models that earlier tests have loaded."""
    for user in ("flowcli.model.estimator", "flowcli.batch.engines.local"):
        monkeypatch.setattr(f"{user}.load", load_once)


@pytest.fixture
def compute(flowcli, loaded: None, weights: Path):
    """Runs a command with one update of the untrained weights."""

    def call(*arguments: object) -> Ended:
        return flowcli(*arguments, "--weights", weights, "--iters", 1)

    return call


@pytest.fixture
def make_images(tmp_path: Path):
    """Writes a folder of images, each shifted by a pixel from the previous one, and returns it."""
    import cv2

    def make(name: str = "shots", *, count: int = 2, size: tuple[int, int] = (48, 64)) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for number in range(count):
            cv2.imwrite(str(folder / f"{number}.png"), quarters(size[1], size[0], shift=number))
        return folder

    return make


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, made the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def no_thread_stays():
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("flowcli")] == []
