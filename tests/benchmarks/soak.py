"""Memory, open files and threads of a run of 20,000 pairs, which should not grow; about half an hour, on Linux."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import astuple, dataclass
from pathlib import Path

from tests.benchmarks.memory import clip

PAIRS = 20_000
SIDE = 128
SECONDS_BETWEEN_LOOKS = 1.0


@dataclass(frozen=True)
class Look:
    """The resources of a process at one time."""

    resident_mb: float
    open_files: int
    threads: int


def run() -> None:
    """Prints the maxima in every tenth of the run's time, and the growth of memory from the second to the last."""
    with tempfile.TemporaryDirectory() as name:
        video = clip(Path(name) / "long.mp4", PAIRS + 1, height=SIDE, width=SIDE)
        line = [sys.executable, "-m", "flowcli", "video", video, "--iters", "2", "--save", "video,stats", "-q"]
        looks = watched([*map(str, line), "-o", name])
    tenths = [largest(looks[len(looks) * tenth // 10 :][: len(looks) // 10 + 1]) for tenth in range(10)]
    print("up to  resident MB  open files  threads")
    for tenth, look in enumerate(tenths, start=1):
        print(f"{10 * tenth:3} %  {look.resident_mb:11.1f}  {look.open_files:10}  {look.threads:7}")
    grown = tenths[-1].resident_mb - tenths[1].resident_mb
    print(f"{PAIRS} pairs in {len(looks) * SECONDS_BETWEEN_LOOKS:.0f} s, {grown:+.1f} MB from the second tenth on")


def watched(line: list[str]) -> list[Look]:
    """Runs a command and samples its resources once a second; raises RuntimeError where it fails."""
    looks = []
    with subprocess.Popen(line, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            looks += look_at(process.pid)
            time.sleep(SECONDS_BETWEEN_LOOKS)
    if process.returncode:
        raise RuntimeError(f"flowcli ended with {process.returncode}")
    return looks


def largest(looks: list[Look]) -> Look:
    """The maximum of every resource."""
    return Look(*(max(values) for values in zip(*map(astuple, looks), strict=True)))


def look_at(pid: int) -> list[Look]:
    """One sample of a process's resources; none where it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        threads, files = (len(os.listdir(f"/proc/{pid}/{what}")) for what in ("task", "fd"))  # noqa: PTH208
    except OSError:
        return []
    return [Look(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, files, threads)]
