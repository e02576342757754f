"""Benchmarks of whole commands: memory and time of large frames, start-up, and a video from file to file."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from flowcli.media.pyav import VideoWriter
from tests.benchmarks.figures import Figure, medians
from tests.benchmarks.models import HEIGHT, WIDTH, fan, noise

MEASURE = """
import resource, sys
from flowcli.cli.app import run
code = run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""
LARGE_FRAMES = (("1080p", 1080, 1920, 4), ("4K", 2160, 3840, 8), ("8K", 4320, 7680, 16))
CLIP_FRAMES = 40


def run_measured(*arguments: object) -> tuple[float, float]:
    """The seconds and the peak resident size in GiB of a flowcli command."""
    started = time.perf_counter()
    line = [sys.executable, "-c", MEASURE, *map(str, arguments)]
    done = subprocess.run(line, check=True, capture_output=True, text=True)
    return time.perf_counter() - started, int(done.stderr.split()[-1]) / 2**20


def large() -> Iterator[Figure]:
    """Peak memory of pairs of large frames under --memory, and the time of each against the size before it."""
    taken = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, height, width, limit in LARGE_FRAMES:
            paths = [Path(folder, f"{name}_{number}.png") for number in range(2)]
            for number, path in enumerate(paths):
                cv2.imwrite(str(path), noise(height, width, shift=number).image)
            line = ("pair", *paths, "--memory", f"{limit}G", "--iters", 12, "--save", "flo", "-q")
            taken[name], peak = run_measured(*line, "-o", Path(folder, name))
            yield Figure(f"peak memory, {name}, --memory {limit}G", peak, "G", "allowed", limit, 1.0)
    for smaller, larger in pairwise(taken):
        name = f"time of a pair at {larger}, 12 updates, the start included"
        yield Figure(name, taken[larger], "s", smaller, taken[smaller], 4.0)


def start() -> Iterator[Figure]:
    """The time of --help, and of a pair of small images from the shell to the file."""

    def run(*arguments: object) -> None:
        subprocess.run([sys.executable, *map(str, arguments)], check=True, capture_output=True)

    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{number}.png") for number in range(2)]
        for number, path in enumerate(paths):
            cv2.imwrite(str(path), noise(240, 320, shift=number).image)
        seconds = medians(
            help=lambda: run("-m", "flowcli", "--help"),
            pair=lambda: run("-m", "flowcli", "pair", *paths, "-y", "-q", "-o", Path(folder, "flow.png")),
            torch=lambda: run("-c", "import torch"),
        )
    yield Figure("flowcli --help", seconds["help"], "s", "import torch", seconds["torch"], 0.20)
    yield Figure("flowcli pair, 320x240", seconds["pair"], "s", "import torch", seconds["torch"], 1.60)


def whole() -> Iterator[Figure]:
    """The time of a video from file to file, against motionflow's Farneback where it is installed."""
    has_peer = find_spec("motionflow") is not None
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder, "fan.mp4")
        writer = VideoWriter(clip, rate=Fraction(25), tick=Fraction(1, 25))
        for frame in fan(CLIP_FRAMES):
            writer.write(np.ascontiguousarray(frame.image), time=frame.time)
        writer.close()

        def run(*line: object) -> None:
            subprocess.run([sys.executable, *map(str, line)], check=True, capture_output=True)

        options = {"flowcli": lambda: run("-m", "flowcli", "video", clip, "-y", "-q", "-o", Path(folder, "ours.mp4"))}
        if has_peer:
            peer = "from motionflow.cli import app; app()"
            options["motionflow"] = lambda: run("-c", peer, clip, "-m", "farneback", "-o", Path(folder, "theirs.mp4"))
        seconds = medians(rounds=2, **options)
    against = "motionflow, Farneback" if has_peer else "motionflow is not installed"
    name = f"flowcli video, {CLIP_FRAMES} frames of {WIDTH}x{HEIGHT}"
    yield Figure(name, seconds["flowcli"], "s", against, seconds.get("motionflow"))
