"""Injected failures of a packet, a disk or a device leave no incomplete file."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import torch

from flowcli.flow.formats import flo
from flowcli.media.pyav import VideoReader, reading
from flowcli.media.pyav.writing import ContainerWriter
from flowcli.system.files import PartFile
from raft_core.raft import RAFT
from tests.faults.making import clip
from tests.faults.running import playable, run_here

FRAMES = 6


class Failing:
    """A container that raises `error` from packet number `at` on."""

    def __init__(self, container: Any, at: int, error: Exception) -> None:
        self._container, self._remaining, self._error = container, at, error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def _count_packet(self) -> None:
        self._remaining -= 1
        if self._remaining < 0:
            raise self._error

    def demux(self, stream: Any) -> Iterator[Any]:
        """The packets up to the failure."""
        for packet in self._container.demux(stream):
            self._count_packet()
            yield packet

    def mux(self, packets: Any) -> None:
        """Writes packets up to the failure."""
        self._count_packet()
        self._container.mux(packets)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loaded: None, weights: Path):
    monkeypatch.chdir(tmp_path)
    clip("a.mp4", frames=FRAMES)

    def call(save: str, *more: str) -> tuple[int, list[str]]:
        line = ["video", "a.mp4", "-o", "out", "--save", save, "--iters", "1", "--weights", str(weights), *more]
        code, stderr = run_here(line)
        return code, stderr.splitlines()

    return call


def outputs() -> list[str]:
    """The files in the output folder."""
    return sorted(str(path.relative_to("out")) for path in Path("out").rglob("*") if path.is_file())


@pytest.mark.parametrize("packet", range(3, FRAMES + 1, 2))
def test_a_container_that_fails_from_a_packet_on_gives_the_frames_before_it(run, monkeypatch, packet: int) -> None:
    whole = reading.open_container
    broken = av.error.InvalidDataError(1, "broken")
    monkeypatch.setattr(reading, "open_container", lambda *arguments: Failing(whole(*arguments), packet, broken))
    code, lines = run("video,flo", "--max-flow", "5")
    assert code == 4
    assert lines[-2].startswith("error: ") and "could not be decoded" in lines[-2]
    assert playable(Path("out/a_flow.mp4"))
    assert len(list(Path("out/a_flow").iterdir())) == packet - 1


@pytest.mark.parametrize("picture", [0, 1, FRAMES - 2])
def test_a_disk_that_is_full_from_a_picture_on_leaves_only_complete_files(run, monkeypatch, picture: int) -> None:
    create = ContainerWriter._create
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def created(self: ContainerWriter, options: dict[str, str]) -> None:
        create(self, options)
        self._container = Failing(self._container, picture, full)

    monkeypatch.setattr(ContainerWriter, "_create", created)
    code, lines = run("video,flo", "--max-flow", "5")
    assert code == 7
    assert lines[-2].endswith("a_flow.mp4 cannot be written: the disk is full")
    assert lines[-1].startswith("hint: ")
    whole = [name for name in outputs() if not name.startswith(".a_flow.run")]
    assert all(np.isfinite(flo.read(Path("out") / name)).all() for name in whole)
    assert not [name for name in outputs() if ".part" in name]
    monkeypatch.setattr(ContainerWriter, "_create", create)
    assert run("video,flo", "--max-flow", "5", "--resume")[0] == 0
    assert playable(Path("out/a_flow.mp4"))


@pytest.mark.parametrize("container", ["mp4", "mpegts"])
def test_a_video_that_becomes_shorter_while_it_is_read_has_changed(run, monkeypatch, container: str) -> None:
    frames = VideoReader.frames

    def cut(self: VideoReader, *arguments: Any, **options: Any) -> Iterator[Any]:
        for frame in frames(self, *arguments, **options):
            if frame.index == 2:
                os.truncate("a.mp4", 2500)
            yield frame

    clip("a.mp4", frames=200, size=(160, 120), container_format=container)
    monkeypatch.setattr(VideoReader, "frames", cut)
    code, lines = run("flo", "--max-flow", "5")
    assert code == 4
    assert lines[-2] == "error: a.mp4 changed while its flow was computed"
    report = json.loads(Path("out/a_flow.json").read_text())
    assert report["input_changed"] and report["lost_frames"] > 0


def test_a_run_whose_output_cannot_be_renamed_can_be_resumed(run, monkeypatch) -> None:
    commit = PartFile.commit

    def obstructed(self: PartFile) -> Path:
        if self.final == Path("out/a_flow.mp4"):
            self.final.mkdir()
        return commit(self)

    monkeypatch.setattr(PartFile, "commit", obstructed)
    code, lines = run("video", "--max-flow", "5")
    assert (code, lines[-2]) == (7, "error: out/a_flow.mp4 cannot be written: is a directory")
    assert not [name for name in outputs() if name.startswith(".a_flow.part")]
    monkeypatch.setattr(PartFile, "commit", commit)
    Path("out/a_flow.mp4").rmdir()
    assert run("video", "--max-flow", "5", "--resume")[0] == 0
    assert playable(Path("out/a_flow.mp4"))


@pytest.mark.parametrize(("failures", "code"), [(1, 0), (10**9, 6)])
def test_a_device_out_of_memory_gets_smaller_batches_or_is_an_error(run, monkeypatch, failures: int, code: int) -> None:
    encode = RAFT.encode
    remaining = [failures]

    def scarce(self: RAFT, *arguments: Any) -> Any:
        remaining[0] -= 1
        if remaining[0] >= 0:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return encode(self, *arguments)

    monkeypatch.setattr(RAFT, "encode", scarce)
    ended, lines = run("video,flo", "--max-flow", "5", "--batch", "4")
    assert ended == code
    if code:
        assert lines == [
            "error: frames of 64 x 48 do not fit into memory",
            "hint: use --max-side to compute at a smaller size",
        ]
        assert not Path("out").exists()
    else:
        assert any("memory ran out" in line for line in lines)
        assert playable(Path("out/a_flow.mp4"))


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
        RuntimeError("can't start new thread"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"),
        cv2.error("OpenCV(5.0.0) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate 9 bytes"),
    ],
    ids=["Python", "system", "thread", "torch", "OpenCV"],
)
def test_a_system_without_memory_or_threads_is_an_error(run, monkeypatch, error: Exception) -> None:
    def fail(_: str) -> None:
        raise error

    monkeypatch.setattr("flowcli.pipeline.task.find", fail)
    code, lines = run("flo")
    assert (code, lines[0]) == (6, "error: the system has no more memory or no more threads")
    assert lines[1].startswith("hint: raise the limits")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError("libgomp.so.1: failed to map segment from shared object"), "libgomp.so.1: failed to map segment"),
        (
            ImportError("\nRead this advice.\n\nOriginal error was: libx.so: cannot open\n"),
            "Original error was: libx.so",
        ),
        (ImportError(), "ImportError"),
    ],
)
def test_a_library_that_cannot_be_loaded_is_an_error_with_its_cause(run, monkeypatch, error: Exception, says) -> None:
    def fail(_: str) -> None:
        raise error

    monkeypatch.setattr("flowcli.pipeline.task.find", fail)
    code, lines = run("flo")
    assert code == 6
    assert lines[0].startswith(f"error: a library cannot be loaded: {says}")
    assert lines[1].startswith("hint: raise the memory limit")
