"""A signal to a process sets its exit code and leaves no incomplete file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flowcli.cli import app
from tests.faults.making import clip, still
from tests.faults.running import playable, run_here

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has neither SIGTERM nor SIGHUP")

LINES = {
    "video": "video a.mp4 --save video,flo --iters 30",
    "pair": "pair a.png b.png --iters 2000",
    "batch": "batch clips --save video,flo --iters 30",
    "batch --isolate": "batch clips --save video,flo --iters 30 --isolate",
    "inspect": "inspect a.png b.png --iters 200",
    "track": "track a.mp4 --points 10,10 --iters 300",
}
# The limit is three seconds; a busy machine gets more.
SECONDS = 15


def start(line: str, weights: Path) -> subprocess.Popen[str]:
    """A process that runs the command on inputs that take it several seconds."""
    clip("a.mp4", frames=80, size=(320, 240))
    Path("clips").mkdir()
    os.link("a.mp4", "clips/b.mp4")
    for name in ("a.png", "b.png"):
        still(name, size=(320, 240))
    command = [sys.executable, "-m", "flowcli", *line.split(), "--weights", str(weights), "-o", "out"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.8, 2.0, 5.0])
@pytest.mark.parametrize(("sent", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
@pytest.mark.parametrize("name", LINES)
@pytest.mark.usefixtures("place")
def test_a_signal_ends_every_command_soon_without_incomplete_files(
    weights: Path, name: str, sent: str, code: int, seconds: float
) -> None:
    process = start(LINES[name], weights)
    time.sleep(seconds)
    process.send_signal(getattr(signal, sent))
    started = time.monotonic()
    lines = process.communicate(timeout=60)[1].splitlines()
    assert time.monotonic() - started < SECONDS
    assert process.returncode == code
    assert [line.split(":")[0] for line in lines[-2:]] == ["error", "hint"]
    assert not [line for line in lines if "Traceback" in line]
    assert not [path for path in Path().rglob(".*.part*") if path.is_file()]
    assert all(playable(path) for path in Path().glob("out/*.mp4"))


@pytest.mark.parametrize(("ignored", "handler"), [(False, "SIG_DFL"), (True, "SIG_IGN")])
def test_ctrl_c_while_flowcli_loads_is_no_traceback(ignored: bool, handler: str) -> None:
    loading = "import signal, sys, types; sys.modules['flowcli.cli.app'] = types.SimpleNamespace("
    loading += "main=lambda: print(signal.getsignal(signal.SIGINT).name))"
    begin = "import runpy; runpy.run_module('flowcli', run_name='__main__')"
    # A shell's background jobs start with SIGINT ignored.
    before = "signal.SIG_IGN" if ignored else "signal.default_int_handler"
    program = "\n".join([f"import signal; signal.signal(signal.SIGINT, {before})", loading, begin])
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == handler


def test_an_error_that_native_code_raises_from_a_signal_is_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(arguments: list[str]) -> int:
        try:
            signal.raise_signal(signal.SIGTERM)
        except BaseException as error:
            raise SystemError("initialization of a library failed") from error
        return 0

    monkeypatch.setattr(app, "answer", interrupted)
    code, stderr = run_here(["doctor"])
    assert (code, stderr.splitlines()[0]) == (143, "error: stopped by TERM")
