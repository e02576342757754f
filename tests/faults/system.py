"""Section 4.5: closed streams, limits and full disks, and extreme paths and values."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np

from tests.faults.making import clip, picture, still, truncate
from tests.faults.registry import fault
from tests.faults.surroundings import unharmed

for _name, _within, _code, _says in (
    ("stdin, stdout and stderr closed", "{} <&- >&- 2>&-", 0, ""),
    ("stderr full", "{} 2>/dev/full", 0, ""),
    ("stdout full", "{} >/dev/full", 7, "stdout cannot be written"),
    ("at most 32 open files", "ulimit -n 32; {}", 0, ""),
    # With more, it is up to the system which allocation fails, and some abort in native code.
    ("500 MB of address space", "ulimit -v 500000; {}", 6, "cannot be loaded"),
    (
        "no HOME, a TMPDIR that does not exist, and the C locale",
        "env -u HOME -u LANG TMPDIR=/nowhere LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 {}",
        0,
        "",
    ),
    (
        "a current folder that was removed",
        "mkdir gone; cd gone; rmdir ../gone; {}",
        2,
        "current folder does not exist any more",
    ),
):

    @fault(
        "4.5", _name, code=_code, says=_says, within=_within, holds=lambda code=_code: code or outputs_are_complete()
    )
    def limited() -> str:
        path = clip("ä.mp4", frames=3).absolute()
        return f"video {path} -o {path.parent}/out --save video,png"


def outputs_are_complete() -> bool:
    """Whether every output exists."""
    return Path("out/ä_flow.mp4").exists() and len(list(Path("out/ä_flow").iterdir())) == 2


@fault("4.5", "help to a full disk", code=7, says="disk is full", within="{} >/dev/full")
def help_to_full_disk() -> str:
    return "video --help"


for _name, _within in (
    ("in ASCII", "PYTHONIOENCODING=ascii {}"),
    ("with stdin closed", "{} <&-"),
    ("with stdout closed", "{} >&-"),
    ("with stderr closed", "{} 2>&-"),
    ("to a reader that ends", "set -o pipefail; {} | true"),
):

    @fault("4.5", f"help {_name}", code=0, within=_within)
    def limited_help() -> str:
        return "video --help"


@fault("4.5", "a video from a closed stdin", code=3, says="stdin is not a video", within="{} <&-")
def closed_input() -> str:
    return "video - -o out"


@fault(
    "4.5", "a file too large to replace another", code=7, file_size=4096, says="file too large",
    holds=lambda: Path("out/a_flow.mp4").read_bytes() == Path("a.mp4").read_bytes(),
)  # fmt: skip
def too_large_to_replace() -> str:
    clip("a.mp4", frames=20)
    Path("out").mkdir()
    Path("out/a_flow.mp4").write_bytes(Path("a.mp4").read_bytes())
    return "video a.mp4 -o out -y"


@fault("4.5", "files of at most 4 kB", code=7, says="file too large", file_size=4096)
def small_files() -> str:
    clip("a.mp4", frames=3)
    return "video a.mp4 -o out --save video,png"


for _save in ("flo", "video", "gif", "stats", "npz", "exr"):

    @fault("4.5", f"too little space for {_save}", code=7, says="too large", file_size=1024)
    def too_little_space(save: str = _save) -> str:
        clip("a.mp4", frames=6, size=(96, 64))
        return f"video a.mp4 -o out --save {save}"


for _save in ("hdf5", "npy", "npz_video", "zarr"):

    @fault("4.5", f"too little space for an array of {_save}", code=7, says="too large", within="ulimit -f 8; {}")
    def too_little_space_for_an_array(save: str = _save) -> str:
        clip("a.mp4", frames=6, size=(96, 64))
        return f"video a.mp4 -o out --save {save}"


@fault("4.5", "an empty path", code=2, says="an argument is empty")
def empty_path() -> str:
    return "video\0"


@fault("4.5", "a name of the greatest length", code=7, says="name of an output is too long")
def long_name() -> str:
    still("b.png").rename(f"{'x' * 251}.png")
    return f"pair {'x' * 251}.png {'x' * 251}.png"


@fault("4.5", "a video with a name of the greatest length", code=7, says="name of an output is too long")
def long_video_name() -> str:
    clip("b.mp4", frames=3).rename(f"{'x' * 251}.mp4")
    return f"video {'x' * 251}.mp4 -o out"


for _save in ("video", "npz_video"):

    @fault(
        "4.5", f"a video whose name is just too long for {_save}", code=7, says="name of an output is too long",
        holds=lambda: not Path("out").exists(),
    )  # fmt: skip
    def slightly_long_video_name(save: str = _save) -> str:
        clip("b.mp4", frames=3).rename(f"{'x' * 240}.mp4")
        return f"video {'x' * 240}.mp4 -o out --save {save}"


@fault("4.5", "a path that is too long", code=2, says="is not a path")
def long_path() -> str:
    return "video " + "y" * 5000


@fault("4.5", "an endless image", code=3, says="/dev/zero is not a file")
def endless_image() -> str:
    still("b.png")
    return "pair /dev/zero b.png"


@fault("4.5", "an endless video", code=3, says="/dev/zero")
def endless_video() -> str:
    return "video /dev/zero"


@fault("4.5", "links in a circle", code=2, says="a\\.mp4")
def circle() -> str:
    Path("a.mp4").symlink_to("b.mp4")
    Path("b.mp4").symlink_to("a.mp4")
    return "video a.mp4"


@fault("4.5", "an output folder of links in a circle", code=7, says="too many levels")
def circular_output() -> str:
    clip("a.mp4", frames=3)
    Path("out").symlink_to("b")
    Path("b").symlink_to("out")
    return "video a.mp4 -o out"


@fault("4.5", "a log file that is the input", code=2, says="is not a log", holds=unharmed)
def log_over_input() -> str:
    Path("sum").write_text(hashlib.sha256(clip("a.mp4", frames=3).read_bytes()).hexdigest())
    return "video a.mp4 -o out --log-file a.mp4"


@fault("4.5", "a log file on a full disk", code=7, says="/dev/full cannot be written")
def log_on_full_disk() -> str:
    clip("a.mp4", frames=3)
    return "video a.mp4 -o out --log-file /dev/full"


for _option, _code, _says in (
    ("--fps 1/0", 2, "fps 1/0 is not a frame rate"),
    ("--max-flow 1e300", 2, "max-flow"),
    ("--skip 100000000000000000000", 3, "too short for a pair"),
    ("--segment 100000000000000000000", 0, ""),
):

    @fault("4.5", f"option {_option}", code=_code, says=_says)
    def enormous(option: str = _option) -> str:
        Path("s").mkdir()
        for number in range(3):
            still(f"s/{number}.png", shift=number)
        return f"video s -o out {option}"


@fault("4.5", "an image every 50 minutes, as animations", code=0)
def slow_animations() -> str:
    Path("s").mkdir()
    for number in range(3):
        still(f"s/{number}.png", shift=number)
    return "video s -o out --fps 1/3000 --save gif,webp"


@fault("4.5", "a pattern of 99,999,999,999 digits", code=2, says="matches no image")
def endless_pattern() -> str:
    return "video %099999999999d.png"


@fault("4.5", "a long time between two frames of an animation", code=0)
def long_wait() -> str:
    clip("a.mkv", frames=4, pts=[0, 1, 10**8, 10**8 + 1])
    return "video a.mkv -o out --save webp,gif,video"


for _size in ((1, 1000), (1000, 1), (1, 1)):

    @fault("4.5", f"every output of images of {_size[0]}x{_size[1]}", code=0)
    def every_output(size: tuple[int, int] = _size) -> str:
        still("a.png", size=size)
        still("b.png", size=size)
        save = "png,flo,npz,pfm,exr,kitti,overlay,arrows,side,warp,magnitude,occlusion,stats"
        return f"pair a.png b.png -o out --legend --save {save}"


@fault("4.5", "a JPEG with damaged bytes", code=0)
def noisy_jpeg() -> str:
    still("a.jpg")
    data = bytearray(still("b.jpg", image=np.rot90(picture(), 2)).read_bytes())
    data[len(data) // 2 :: 7] = bytes(len(data[len(data) // 2 :: 7]))
    data[-2:] = b"\xff\xd9"
    Path("b.jpg").write_bytes(data)
    return "pair a.jpg b.jpg -o out"


@fault("4.5", "a folder with a pipe among its images", code=0)
def pipe_among_images() -> str:
    Path("s").mkdir()
    for number in range(3):
        still(f"s/{number}.png", shift=number)
    os.mkfifo("s/9.png")
    return "video s -o out"


@fault("4.5", "a cut PNG of ground truth", code=3, says="flow_occ")
def cut_ground_truth() -> str:
    from tests.trees import kitti_2015

    kitti_2015(Path("k"))
    truncate("k/training/flow_occ/000000_10.png", 0.6)
    return "eval kitti k"
