"""Peak memory of `flowcli video` on a short and a long video; it should not grow with the length."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np

from flowcli.media.pyav import VideoWriter

SHORT, LONG = 200, 2000
HEIGHT, WIDTH = 240, 320
MEASURE = """
import resource, sys
from flowcli.cli.app import run
code = run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


def run() -> None:
    """Prints both peaks and their difference in MB."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        peaks = {frames: peak_of(clip(folder / f"{frames}.mp4", frames)) for frames in (SHORT, LONG)}
    for frames, peak in peaks.items():
        print(f"{frames} frames of {WIDTH}x{HEIGHT}: peak resident size {peak:.0f} MB")
    print(f"difference {peaks[LONG] - peaks[SHORT]:.0f} MB")


def clip(path: Path, frames: int, *, height: int = HEIGHT, width: int = WIDTH) -> Path:
    """Writes a video of moving noise."""
    noise = np.random.default_rng(0).integers(0, 255, (height, 2 * width, 3), np.uint8)
    writer = VideoWriter(path, rate=Fraction(25), tick=Fraction(1, 25))
    for index in range(frames):
        left = 2 * index % width
        writer.write(np.ascontiguousarray(noise[:, left : left + width]), time=Fraction(index, 25))
    writer.close()
    return path


def peak_of(video: Path) -> float:
    """The peak resident size in MB of a process that estimates the video's flow."""
    arguments = ["video", str(video), "--iters", "2", "--save", "video,flo,overlay,warp", "-q"]
    done = subprocess.run([sys.executable, "-c", MEASURE, *arguments], check=True, capture_output=True, text=True)
    return int(done.stderr.split()[-1]) / 1024
