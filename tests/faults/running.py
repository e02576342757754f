"""Runs a fault's command line and checks how it ends."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flowcli.cli.app import run
from flowcli.media.pyav import VideoReader
from tests.faults.registry import Fault

SECONDS = 60
"""The longest time that a fault may take on a busy machine."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what is wrong with that, if anything."""

    code: int
    stderr: str
    seconds: float
    wrong: tuple[str, ...]


def run_fault(fault: Fault, folder: Path, weights: Path) -> Outcome:
    """Makes the fault in a folder, runs its command there, and checks the end."""
    with contextlib.chdir(folder):
        line = fault.make()
        arguments = line.split("\0") if "\0" in line else line.split()
        extra = ["--iters", "1"] * ("--iters" not in arguments) + ["--weights", str(weights)] * (
            "--weights" not in arguments
        )
        arguments = [arguments[0], *extra, *arguments[1:]]
        started = time.monotonic()
        with limited_file_size(fault.file_size):
            code, stderr = run_within(fault.within, arguments) if fault.within else run_here(arguments)
        seconds = time.monotonic() - started
        wrong = tuple(complaints(fault, code, stderr, seconds))
    return Outcome(code, stderr, seconds, wrong)


def run_here(arguments: list[str]) -> tuple[int, str]:
    """Exit code and stderr of flowcli in this process, with empty standard input; output of native code comes last."""
    out, err, before = io.StringIO(), io.StringIO(), sys.stdin
    with open(os.devnull) as nothing, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):  # noqa: PTH123
        sys.stdin = nothing
        try:
            with native_stderr() as native:
                code = run(arguments)
        finally:
            sys.stdin = before
    # As Python's own stderr writes what is no text.
    said = err.getvalue().encode(errors="backslashreplace").decode()
    return code, said + "".join(f"native: {line}\n" for line in native)


@contextlib.contextmanager
def limited_file_size(size: int | None) -> Iterator[None]:
    """Lets writes of this process beyond `size` bytes of a file fail, as on a full disk."""
    if size is None:
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def native_stderr() -> Iterator[list[str]]:
    """The lines that native code writes to stderr in the block, past Python's `sys.stderr`."""
    lines: list[str] = []
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield lines
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            file.seek(0)
            lines += file.read().decode(errors="replace").splitlines()


def run_within(line: str, arguments: list[str]) -> tuple[int, str]:
    """Exit code and stderr of flowcli in its own process, run by a line of bash."""
    command = shlex.join([sys.executable, "-X", "faulthandler", "-m", "flowcli", *arguments])
    done = subprocess.run(
        ["bash", "-c", line.replace("{}", command)],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS,
    )
    return done.returncode, done.stderr


def complaints(fault: Fault, code: int, stderr: str, seconds: float) -> list[str]:
    """Everything that is wrong with the end of a command."""
    lines = stderr.splitlines()
    checks = {
        f"exit code {code}, not {fault.code}": code == fault.code,
        "a traceback": "Traceback" not in stderr,
        "native code wrote to stderr": not any(line.startswith("native: ") for line in lines),
        f"nothing on stderr says {fault.says!r}": re.search(fault.says, stderr) is not None,
        f"it took {seconds:.0f} s": seconds < SECONDS,
        "a part file remains": not [path for path in Path().rglob(".*.part.*") if path.is_file()],
    }
    if code and "2>" not in fault.within:
        said = [line for line in lines if line.startswith("error: ")]
        hints = [line for line in lines if line.startswith("hint: ")]
        checks[f"{len(said)} error lines and {len(hints)} hints"] = len(said) == len(hints) == 1
    wrong = [complaint for complaint, passed in checks.items() if not passed]
    if not wrong:
        wrong += [
            f"{path} cannot be played" for path in Path("out").glob("*.mp4") if path.is_file() and not playable(path)
        ]
        wrong += [] if fault.holds() else ["the condition on the folder does not hold"]
    return wrong


def playable(path: Path) -> bool:
    """Whether a video has a frame that can be decoded."""
    with VideoReader(path) as reader:
        return next(reader.frames(), None) is not None
