"""A command tells missing inputs at once, and shows that it is loading."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flowcli.cli.loading import CLEAR, STATUS, loading

COMMANDS = [
    "video nope.mp4",
    "pair nope.png nope2.png",
    "inspect nope.png nope2.png",
    "batch nope.mp4",
    "track nope.mp4",
    "compare nope.mp4 a b",
]


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_input_is_refused_before_torch_is_imported(tmp_path: Path, command: str) -> None:
    name = command.split()[1]
    assert without_torch(tmp_path, command) == (2, [f"error: {name} does not exist", "hint: check the path"])


@pytest.mark.parametrize(
    ("command", "there"),
    [
        ("pair a.png b.png -o there.flo --save flo", "there.flo"),
        ("pair a.png b.png --dry-run", "a_flow.png"),
        ("video a.png --save png -o out", "out/a_flow/000000.png"),
        ("inspect a.png b.png", "a_inspect"),
    ],
)
def test_an_output_that_exists_is_refused_before_torch_is_imported(tmp_path: Path, command: str, there: str) -> None:
    for name in ("a.png", "b.png", there):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    hint = "hint: -y overwrites it, -o writes elsewhere"
    assert without_torch(tmp_path, command) == (2, [f"error: {there} exists already", hint])


def without_torch(folder: Path, command: str) -> tuple[int, list[str]]:
    """The exit code and messages of a command in a folder, where torch cannot be imported."""
    (folder / "torch.py").write_text("raise RuntimeError('torch was imported')")
    paths = os.pathsep.join([str(folder), str(Path(__file__).parents[2])])
    done = subprocess.run(
        [sys.executable, "-m", "flowcli", *command.split()],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr.splitlines()


def test_a_terminal_shows_that_libraries_load_and_nothing_afterwards(monkeypatch) -> None:
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    with loading():
        assert screen.getvalue() == STATUS
    assert screen.getvalue() == STATUS + CLEAR


def test_the_status_is_gone_before_an_error_is_told(monkeypatch) -> None:
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    with pytest.raises(ImportError), loading():
        raise ImportError
    assert screen.getvalue().endswith(CLEAR)


@pytest.mark.parametrize(("screen", "quiet"), [(io.StringIO(), False), (Terminal(), True)])
def test_pipes_and_quiet_runs_get_no_status(monkeypatch, screen: io.StringIO, quiet: bool) -> None:
    monkeypatch.setattr(sys, "stderr", screen)
    with loading(quiet=quiet):
        pass
    assert screen.getvalue() == ""


def test_summaries_state_the_whole_wait(place, flowcli, compute, make_images, monkeypatch) -> None:
    monkeypatch.setattr("flowcli.system.console.seconds_waited", lambda: 33.14)
    images = make_images("few")
    ended = [
        compute("video", images, "-o", "out", "--save", "flo"),
        compute("batch", place, "-o", "all"),
        compute("track", images),
        flowcli("convert", "out/few_flow", "kitti", "--to", "kitti"),
        flowcli("compare", images, "out/few_flow", "out/few_flow"),
    ]
    assert [(each.code, each.waited) for each in ended] == [(0, ["33.1 s in all"])] * 5
