"""The functions that one frame of `flowcli video` passes through, in order, thread by thread.

    python -m tests.walk

Prints the calls between the writing of one frame of the flow video and of the next, each function once, and how often
the walk enters a file, and returns to one that it has left.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from fractions import Fraction
from pathlib import Path
from types import FrameType
from typing import Any

import av
import numpy as np

import flowcli
from flowcli.cli.app import run

ROOT = Path(flowcli.__file__).parent.parent
START, END = 5, 6
"""Frames of the flow video that the walk lies between: late enough for every cache to be filled."""


class Walk:
    """The calls of each thread while it is recorded, as (file, function)."""

    def __init__(self) -> None:
        self.written = 0
        self.calls: dict[str, list[tuple[str, str]]] = {}

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        """Notes a call of a function of this repository, or the resumption of a generator."""
        if event != "call":
            return
        code = frame.f_code
        path = Path(code.co_filename)
        if not path.is_relative_to(ROOT) or path.is_relative_to(ROOT / "tests") or ".venv" in path.parts:
            return
        self.written += code.co_qualname == "VideoWriter.write"
        if START <= self.written < END:
            name = str(path.relative_to(ROOT)).removeprefix("flowcli/")
            self.calls.setdefault(threading.current_thread().name, []).append((name, code.co_qualname))


def make_video(path: Path) -> None:
    """A texture that moves by 2 px a frame."""
    ground = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8).repeat(16, 0).repeat(16, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(25), width=192, height=128, pix_fmt="yuv420p")
        for shift in range(0, 24, 2):
            picture = np.ascontiguousarray(ground[shift : shift + 128, shift : shift + 192])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())


def main() -> int:
    """Records one run and prints the walk."""
    walk = Walk()
    with tempfile.TemporaryDirectory() as folder:
        make_video(Path(folder, "in.avi"))
        threading.setprofile(walk)
        sys.setprofile(walk)
        code = run(["video", f"{folder}/in.avi", "-o", folder, "--iters", "4", "-q"])
        sys.setprofile(None)
        threading.setprofile(None)
    files: set[str] = set()
    entries = returns = 0
    for thread, calls in walk.calls.items():
        print(f"\n{thread}")
        here = ""
        shown: set[tuple[str, str]] = set()
        for file, function in calls:
            if file != here:
                entries += 1
                returns += file in files
                files.add(file)
                here = file
            if (file, function) not in shown and "<" not in function:
                shown.add((file, function))
                print(f"  {file:38} {function}")
    rooms = {file.split("/")[0] for file in files}
    print(f"\n{len(rooms)} rooms: {', '.join(sorted(rooms))}")
    print(f"{len(files)} files, entered {entries} times, of which {returns} return to one that was left")
    return code


if __name__ == "__main__":
    raise SystemExit(main())
