"""Paths and times of a run's outputs."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from flowcli.media.pyav import VideoReader


def files_below(folder: str) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())


def times_of(path: str) -> list[Fraction]:
    with VideoReader(Path(path)) as reader:
        return [frame.time for frame in reader.frames()]
