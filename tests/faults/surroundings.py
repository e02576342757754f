"""Section 4.4: outputs, names and options."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from tests.faults.making import clip
from tests.faults.registry import fault


@fault("4.4", "output is a file of another kind", code=2, says="does not fit")
def unfit_output() -> str:
    clip("a.mp4", frames=3)
    return "video a.mp4 -o out.png"


@fault("4.4", "output folder is a file", code=2, says="is a file")
def folder_is_file() -> str:
    clip("a.mp4", frames=3)
    Path("out").write_text("mine")
    return "video a.mp4 -o out"


@fault("4.4", "output file is a folder", code=2, says="is a folder")
def file_is_folder() -> str:
    clip("a.mp4", frames=3)
    Path("out/a_flow.mp4").mkdir(parents=True)
    return "video a.mp4 -o out"


@fault("4.4", "output folder is missing", code=0, holds=lambda: Path("new/er/a_flow.mp4").exists())
def missing_parent() -> str:
    clip("a.mp4", frames=3)
    return "video a.mp4 -o new/er"


@fault("4.4", "an unknown output", code=2, says="--save viedo is not known")
def unknown_output() -> str:
    clip("a.mp4", frames=3)
    return "video a.mp4 --save viedo"


@fault("4.4", "output cannot be written", code=7, says="cannot be written")
def unwritable() -> str:
    clip("a.mp4", frames=3)
    return "video a.mp4 -o /proc/flowcli"


def unharmed() -> bool:
    """Whether the input is unchanged."""
    return hashlib.sha256(Path("a.mp4").read_bytes()).hexdigest() == Path("sum").read_text()


for _name, _link in (
    ("itself", None),
    ("behind a symbolic link", os.symlink),
    ("behind a hard link", os.link),
):

    @fault("4.4", f"output is the input {_name}", code=2, says="is the input itself", holds=unharmed)
    def same_file(link: object = _link) -> str:
        Path("sum").write_text(hashlib.sha256(clip("a.mp4", frames=3).read_bytes()).hexdigest())
        if callable(link):
            link(Path("a.mp4").absolute(), "b.mp4")
        return f"video a.mp4 -y -o {'b.mp4' if callable(link) else 'a.mp4'}"


@fault("4.4", "output exists", code=2, says="exists already", holds=lambda: Path("a_flow.mp4").read_text() == "mine")
def output_exists() -> str:
    clip("a.mp4", frames=3)
    Path("a_flow.mp4").write_text("mine")
    return "video a.mp4"


NAMES = (
    "with space.mp4",
    "-dash.mp4",
    "co:lon.mp4",
    "http:x.mp4",
    "data:x.mp4",
    "[bold]z.mp4",
    "per%cent%04d.mp4",
    "que?stion*.mp4",
    "esc\x1b[31mred.mp4",
    "new\nline.mp4",
    "bad\udcff.mp4",
    "ümläut ☃.mp4",
)
for _name in NAMES:

    @fault("4.4", f"a file called {_name!a}", code=0, holds=lambda: len(list(Path("out").glob("*.mp4"))) == 1)
    def odd_name(name: str = _name) -> str:
        clip("plain.mp4", frames=3).rename(name)
        return f"video\0-o\0out\0--\0{name}"


for _option, _says in (
    ("--max-flow nan", "max-flow"),
    ("--max-flow -1", "max-flow"),
    ("--max-flow inf", "max-flow"),
    ("--skip 0", "skip"),
    ("--skip -2", "skip"),
    ("--iters 0", "iters"),
    ("--iters many", "iters"),
    ("--batch 0", "batch"),
    ("--memory none", "memory"),
    ("--scale 0", "scale"),
    ("--scale nan", "scale"),
    ("--max-side 0", "max-side"),
    ("--device tpu", "tpu"),
    ("--precision fp8", "fp8"),
    ("--direction sideways", "sideways"),
    ("--start later", "start"),
    ("--start 5 --end 2", "end"),
    ("--segment 0", "segment"),
    ("--tolerance nan --iters auto", "tolerance"),
    ("--no-such-option", "no-such-option"),
):

    @fault("4.4", f"option {_option}", code=2, says=_says)
    def bad_option(option: str = _option) -> str:
        clip("a.mp4", frames=3)
        return f"video a.mp4 -o out {option}"


@fault("4.4", "a device that does not exist", code=6, says="cuda:7")
def no_device() -> str:
    clip("a.mp4", frames=3)
    return "video a.mp4 -o out --device cuda:7"


@fault("4.4", "too little memory", code=6, says="MiB")
def no_memory() -> str:
    clip("a.mp4", frames=3)
    return "video a.mp4 -o out --memory 1M"


@fault("4.4", "too short for the skip", code=3, says="is too short for a pair")
def too_short() -> str:
    clip("a.mp4", frames=3)
    return "video a.mp4 -o out --skip 9"
