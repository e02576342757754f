"""Throughput of a batch in clips per second with one and two processes, on this machine and on Ray."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from flowcli.media.pyav import VideoWriter

CLIPS, FRAMES, SIZE = 24, 9, (320, 240)
WAYS = {
    "one process": ["--workers", "1"],
    "two processes": ["--workers", "2"],
    "Ray, one worker": ["--engine", "ray", "--address", "local", "--workers", "1"],
    "Ray, two workers": ["--engine", "ray", "--address", "local", "--workers", "2"],
}


def run() -> None:
    """Prints a row for each engine and number of processes; every process computes with one thread."""
    with tempfile.TemporaryDirectory() as place:
        make_clips(Path(place, "clips"))
        rates = {name: clips_per_second(Path(place), more) for name, more in WAYS.items()}
    print(f"{CLIPS} clips of {FRAMES} frames, {SIZE[0]} x {SIZE[1]}, 12 iterations, {os.cpu_count()} cores")
    for name, rate in rates.items():
        print(f"{name:<18}{rate:6.2f} clips/s  {rate / rates['one process']:5.2f} x")


def clips_per_second(place: Path, more: list[str]) -> float:
    """Clips per second after the first quarter of the clips, so that the start does not count."""
    output = place / "_".join(more)
    line = [sys.executable, "-m", "flowcli", "batch", str(place / "clips"), "-o", str(output), "--save", "flo", *more]
    subprocess.run(line, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    times = sorted(path.stat().st_mtime for path in output.glob("*_flow.json"))
    first = len(times) // 4
    return (len(times) - 1 - first) / (times[-1] - times[first])


def make_clips(folder: Path) -> None:
    """Writes videos of a moving texture."""
    width, height = SIZE
    for number in range(CLIPS):
        noise = np.random.default_rng(number).integers(0, 256, (height, width + 4 * FRAMES, 3), np.uint8)
        texture = cv2.GaussianBlur(noise, (0, 0), 3)
        writer = VideoWriter(folder / f"{number}.mp4", rate=Fraction(25), tick=Fraction(1, 25))
        for index in range(FRAMES):
            image = np.ascontiguousarray(texture[:, 4 * index : 4 * index + width])
            writer.write(image, time=Fraction(index, 25))
        writer.close()
