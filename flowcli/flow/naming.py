"""The file names of a kind of output, and the parts that segments write."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path


@dataclass(frozen=True)
class Naming:
    """The file names of one kind of output.

    A pair's file is `NAME_stem` with `tag` and `extension`; a video's is `NAME_stem` with extension `video` or, if
    that is None, a folder `NAME_stem` of numbered files. `.mp4` stands for any container that suits the codec.
    `pairs` is false for outputs that need a video. `siblings` are the tags of further files that every pair has.
    """

    stem: str
    extension: str
    video: str | None = None
    tag: str = ""
    pairs: bool = True
    siblings: tuple[str, ...] = ()

    def files_of(self, path: Path) -> list[Path]:
        """`path` and the further files that are written beside it."""
        stem = path.stem.removesuffix(self.tag)
        return [path, *(path.with_name(f"{stem}{tag}{path.suffix}") for tag in self.siblings)]


@dataclass(frozen=True)
class Part:
    """A segment's part of a single-file output, and the `time` in seconds of its first pair."""

    path: Path
    time: Fraction
