"""Prints the SHA-256 of everything that a fixed set of commands writes, to compare two versions.

    python -m tests.written > before.txt
    python -m tests.written | diff before.txt -

Times and temporary folders are removed from text before it is hashed, and keys of JSON are sorted. Videos are hashed as
encoded.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

OF_PAIRS = "png,flo,npz,pfm,exr,kitti,overlay,arrows,side,warp,magnitude,occlusion,stats"
COMMANDS = {
    "pair": f"pair 00.png 01.png --save {OF_PAIRS} -o OUT --iters 4",
    "pair-scaled": "pair 00.png 01.png -o OUT --max-side 96 --save flo,png --legend --precision fp32",
    "video": f"video clip.avi --save video,{OF_PAIRS},gif,webp -o OUT --segment 4 --legend",
    "video-backward": "video clip.avi --save flo,video,overlay --direction backward --skip 2 --sliding -o OUT",
    "video-settings": "video clip.avi --save npz,video --warm-start --iters 3 --scale-mode frame --codec h265 -o OUT",
    "video-folder": "video frames --save video,stats --start #2 --max-frames 5 --fps 12 -o OUT --max-flow 9",
    "batch": "batch clips -o OUT --save flo,video --report --iters 2",
    "batch-split": "batch clips -o OUT --save flo,video,stats --split 3 --iters 2 --sliding",
    "batch-list": "batch clips/list.csv -o OUT --save flo --iters 2",
    "inspect": "inspect 00.png 01.png --at 60,40 --auto 2 --iters 5 -o OUT",
    "inspect-video": "inspect clip.avi --frame 3 --skip 2 --warm-start --iters 3 -o OUT",
    "convert": "convert EARLIER/video/clip_flow OUT --from npz --to kitti",
    "convert-planes": "convert EARLIER/video-settings/clip_flow OUT --to planes",
    "convert-video": "convert EARLIER/video/clip_flow OUT/flow.mp4 --from npz --max-flow 20 --legend",
    "track": "track clip.avi --save csv,json,video -o OUT --iters 3 --grid 12",
    "compare": "compare clip.avi raft-small,iters=2 raft-small,iters=4,warm-start=yes -o OUT",
    "eval": "eval pairs pairs --baseline dis,farneback,zero --iters 3 --json -o OUT --worst 1",
    "weights": "weights convert raft-small OUT/small.safetensors --to torchvision",
    "weights-pth": "weights convert raft-small OUT/small.pth --to princeton --precision fp32",
    "train": "train --run OUT/run --recipe smoke --validation pairs --threads 1 --device cpu",
}
TIMES = re.compile(rb'("(?:seconds|asked)": ?)[-0-9a-f.e"+]+')
"""Values that differ between two runs: durations, and a hash over the order of the options."""
TEXT = {".json", ".jsonl", ".html", ".csv", ".md", ".txt"}
LEFT_OUT = {".pt", ".ckpt"}
"""Training states, which hold the time at which they were saved."""


def make_inputs(folder: Path) -> None:
    """A moving textured clip with a cut and a repeated frame, as images, as video and as pairs with ground truth."""
    rng = np.random.default_rng(7)
    ground = cv2.resize(rng.integers(0, 256, (40, 60, 3), np.uint8), (300, 200), interpolation=cv2.INTER_CUBIC)
    frames = [ground[20 + 2 * t : 116 + 2 * t, 30 + 3 * t : 174 + 3 * t] for t in range(8)]
    frames += [np.ascontiguousarray(frame[::-1, ::-1]) for frame in frames[:3]] + [frames[2]]
    for number, frame in enumerate(frames):
        for place in (folder, folder / "frames", folder / "clips" / "images"):
            place.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(place / f"{number:02d}.png"), frame)
            os.utime(place / f"{number:02d}.png", (0, 0))
    for place in (folder / "clip.avi", folder / "clips" / "a.avi", folder / "clips" / "below" / "b.avi"):
        place.parent.mkdir(exist_ok=True)
        write_video(place, frames)
    (folder / "clips" / "list.csv").write_text("path,skip,sliding\na.avi,2,yes\nimages,3,\n")
    for number in (0, 3):
        pair = folder / "pairs" / f"made_{number}"
        pair.mkdir(parents=True)
        for name, frame in zip(("frame1.png", "frame2.png"), frames[number : number + 2], strict=True):
            cv2.imwrite(str(pair / name), frame)
        flow = np.broadcast_to(np.float32([-3, -2]), (*frames[0].shape[:2], 2))
        np.savez(pair / "flow.npz", flow=flow, valid=np.ones(flow.shape[:2], bool))


def write_video(path: Path, frames: list[np.ndarray]) -> None:
    """Writes a lossless video of 24 frames per second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(24))
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], "bgr0"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="bgr24")))
        container.mux(stream.encode())


def digest(path: Path, temporary: Path) -> str:
    """The SHA-256 of a file's content without times and temporary folder."""
    data = path.read_bytes()
    if path.suffix in TEXT:
        data = TIMES.sub(rb"\g<1>0", data.replace(str(temporary).encode(), b"TEMPORARY"))
    if path.suffix == ".json":
        data = json.dumps(json.loads(data), sort_keys=True).encode()
    return hashlib.sha256(data).hexdigest()


def main() -> None:
    """Runs every command and prints a line for every file."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made).resolve()
        make_inputs(folder)
        for name, line in COMMANDS.items():
            output = folder / "out" / name
            output.mkdir(parents=True)
            words = [word.replace("OUT", f"out/{name}").replace("EARLIER", "out") for word in line.split()]
            done = subprocess.run(
                [sys.executable, "-m", "flowcli", *words], cwd=folder, capture_output=True, text=True, check=False
            )
            print(f"{name}: exit code {done.returncode}", flush=True)
            if done.returncode:
                print(done.stderr)
            for path in sorted(path for path in output.rglob("*") if path.is_file() and path.suffix not in LEFT_OUT):
                print(f"{digest(path, folder)}  {path.relative_to(output.parent)}", flush=True)


if __name__ == "__main__":
    main()
