"""Batches that other processes compute: what one of them dies of costs one clip."""

from __future__ import annotations

import ctypes
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flowcli.batch.engines.processes import Place, WorkerProcess, loaded
from flowcli.batch.engines.scheduler import spread
from flowcli.errors import DeviceError, UsageError, WeightsError
from flowcli.model.weights import find
from flowcli.system.signals import StoppedError
from tests.outputs import files_below

pytestmark = pytest.mark.usefixtures("place")


def line(weights: Path, *more: object) -> list[str]:
    return [sys.executable, "-m", "flowcli", *batch_of(weights, *more)]


def batch_of(weights: Path, *more: object) -> list[str]:
    # In float32, because a child process would choose a precision of its own.
    given = ["--save", "flo", "--iters", "1", "--precision", "fp32", "--weights", str(weights)]
    return ["batch", "clips", "-o", "out", *given, *map(str, more)]


def outcomes() -> dict[str, dict[str, Any]]:
    return {item["clip"]: item for item in json.loads(Path("out/batch.json").read_bytes())["items"]}


@pytest.fixture
def crashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Native code crashes in the process that computes a clip called evil."""
    submit = WorkerProcess.submit

    def submit_or_crash(self: WorkerProcess, work: Any) -> Future[Any]:
        return self._pool.submit(ctypes.string_at, 0) if "evil" in work.clip.key else submit(self, work)

    monkeypatch.setattr(WorkerProcess, "submit", submit_or_crash)


@pytest.mark.usefixtures("crashing")
def test_a_crash_in_native_code_costs_one_clip_and_changes_no_other(
    flowcli, compute, make_video, weights: Path
) -> None:
    Path("clips").mkdir()
    for name in ("a", "b-evil", "c"):
        make_video(f"clips/{name}.mp4", frames=3)
    assert flowcli(*batch_of(weights, "--isolate")).code == 4
    assert {name: item["status"] for name, item in outcomes().items()} == {
        "a.mp4": "done",
        "b-evil.mp4": "failed",
        "c.mp4": "done",
    }
    assert outcomes()["b-evil.mp4"]["error"].startswith("the process that computed it died")
    assert compute(*batch_of(weights, "--include", "[ac].mp4", "-o", "here")).code == 0
    flows = [name for name in files_below("here") if name.endswith(".flo")]
    assert len(flows) == 4
    assert all(Path("here", name).read_bytes() == Path("out", name).read_bytes() for name in flows)


def test_a_process_is_stopped_while_it_still_loads() -> None:
    child = WorkerProcess(Place(find("raft-small")))
    begun = child.start()
    child.stop()
    assert isinstance(begun.exception(), BrokenProcessPool)


def test_a_process_that_starts_late_takes_no_weights_that_changed(tmp_path: Path, weights: Path) -> None:
    found = find(str(shutil.copy(weights, tmp_path)))
    found.path.write_bytes(find("raft-small").path.read_bytes())
    with pytest.raises(WeightsError, match="is not what it was when the batch started"):
        loaded(found)


@pytest.mark.slow
def test_what_a_killed_batch_leaves_is_gone_on_with(compute, make_video, weights: Path) -> None:
    """Its processes die with it, so that no clip stays locked."""
    Path("clips").mkdir()
    make_video("clips/long.mp4", frames=60)
    running = subprocess.Popen(line(weights, "--workers", 2, "--segment", 2), stderr=subprocess.DEVNULL)
    while not Path("out/.long_flow.run/000001/segment.json").exists():
        assert running.poll() is None
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert compute(*batch_of(weights, "--segment", 2)).code == 0
    assert outcomes()["long.mp4"]["flows"] == 59


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no TERM")
def test_a_signal_stops_the_processes_too_and_keeps_what_is_done(compute, make_video, weights: Path) -> None:
    Path("clips").mkdir()
    make_video("clips/a.mp4", frames=2)
    make_video("clips/long.mp4", frames=40)
    running = subprocess.Popen(line(weights, "--workers", 2, "--segment", 2), stderr=subprocess.PIPE, text=True)
    while not Path("out/.long_flow.run/000001/segment.json").exists():
        assert running.poll() is None
        time.sleep(0.02)
    running.send_signal(signal.SIGTERM)
    error, hint = running.communicate(timeout=60)[1].splitlines()[-2:]
    assert (running.returncode, error) == (143, "error: stopped by TERM")
    # What another process has just finished may not have been told of yet.
    assert re.fullmatch("hint: [01] of 2 clips are done; run the same command again to continue", hint)
    assert 4 <= len(list(Path("out/long_flow").glob("*.flo"))) < 39
    assert compute(*batch_of(weights, "--segment", 2)).code == 0
    assert len(list(Path("out/long_flow").glob("*.flo"))) == 39


def test_failures_come_through_to_another_process_whole() -> None:
    for error in (UsageError("no", hint="yes"), StoppedError(15, hint="again")):
        there = pickle.loads(pickle.dumps(error))
        assert (type(there), str(there), there.hint, there.exit_code) == (
            type(error),
            str(error),
            error.hint,
            error.exit_code,
        )


class DeadError(Exception):
    pass


class Mortal:
    """A worker that dies at the works it is told to, and of which new ones begin only when allowed."""

    def __init__(self, fatal: set[str], log: list[str], *, begins: bool = True) -> None:
        self.fatal, self.log, self.begins = fatal, log, begins

    def start(self) -> Future[None]:
        future = Future[None]()
        if self.begins:
            future.set_result(None)
        return future

    def submit(self, work: Any) -> Future[Any]:
        future = Future[Any]()
        self.log.append(work.clip.key)
        if work.clip.key in self.fatal:
            future.set_exception(DeadError())
        else:
            future.set_result(work.clip.key)
        return future

    def replacement(self) -> Mortal:
        return Mortal(self.fatal, self.log)

    def stop(self) -> None:
        self.log.append("stopped")


def works(*keys: str) -> deque[Any]:
    return deque(
        SimpleNamespace(clip=SimpleNamespace(key=key, path=Path(key), inputs=(Path(key),)), chunk=None, asked="")
        for key in keys
    )


def lost(error: BaseException) -> str | None:
    return "it died" if isinstance(error, DeadError) else None


def test_a_work_whose_worker_dies_is_tried_again_and_then_given_up() -> None:
    log: list[str] = []
    came = list(spread(works("a", "b", "c"), [Mortal({"b"}, log)], lost=lost, tries=3))
    assert log == ["a", "b", "b", "b", "c", "stopped"]
    assert [(work.clip.key, getattr(result, "error", None)) for work, result in came] == [
        ("a", None),
        ("b", "it died"),
        ("c", None),
    ]


def test_a_worker_that_never_begins_holds_nothing_up() -> None:
    log: list[str] = []
    workers = [Mortal(set(), log, begins=False), Mortal(set(), log)]
    assert len(list(spread(works("a", "b"), workers, lost=lost, tries=1))) == 2
    assert log == ["a", "b", "stopped", "stopped"]


def test_works_may_be_added_while_others_are_done() -> None:
    todo = works("a")
    came = []
    for work, _ in spread(todo, [Mortal(set(), [])], lost=lost, tries=1):
        came.append(work.clip.key)
        if len(came) < 3:
            todo.extend(works(f"a{len(came)}"))
    assert came == ["a", "a1", "a2"]


def test_workers_that_cannot_even_begin_end_the_batch() -> None:
    class Stillborn(Mortal):
        def start(self) -> Future[None]:
            future = Future[None]()
            future.set_exception(DeadError())
            return future

        def replacement(self) -> Stillborn:
            return Stillborn(set(), [])

    with pytest.raises(DeviceError, match="workers die while they start: it died"):
        list(spread(works("a"), [Stillborn(set(), [])], lost=lost, tries=1))
