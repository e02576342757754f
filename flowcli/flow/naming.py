"""How one kind of output is called, and the parts of it that segments write."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path


@dataclass(frozen=True)
class Naming:
    """How one kind of output is called.

    A pair gives `NAME_stem` with `tag` and `extension`; a video gives one file `NAME_stem` with extension `video`, or,
    where that is None, a folder `NAME_stem` of numbered files. The video `.mp4` stands for whatever file a codec goes
    into. `pairs` is false for what needs a video.
    """

    stem: str
    extension: str
    video: str | None = None
    tag: str = ""
    pairs: bool = True


@dataclass(frozen=True)
class Part:
    """A segment's part of an output that is one file, and the `time` of the segment's first pair."""

    path: Path
    time: Fraction
