"""What comes out of a source: video facts, frames, and the pairs that flow is computed between."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flowcli.errors import PartialError


@dataclass(frozen=True)
class Audio:
    """The audio that a file at `path` may hold, from `start` on, in seconds by the file's own clock."""

    path: Path
    start: Fraction


@dataclass(frozen=True)
class VideoMeta:
    """Facts about a source, known before its first frame is decoded.

    `width` and `height` are as displayed (rotation applied). `rate` is frames per second, exact.
    `frame_count` is a hint that a container may get wrong, unless it is `counted`; None where it is unknown. Times of
    frames are whole numbers of `tick` seconds, so that a video written with that tick repeats them exactly. `start` is
    where the frames begin, in seconds after the first frame that the source has. `pixel_aspect` is the width of a
    displayed pixel over its height, `audio` is what a file of video may hold beside it. `seekable` is false where only
    the first frames can be looked at ahead.
    """

    name: str
    width: int
    height: int
    rate: Fraction
    frame_count: int | None
    tick: Fraction = Fraction(1, 90000)
    start: Fraction = Fraction(0)
    pixel_aspect: Fraction = Fraction(1)
    counted: bool = False
    audio: Audio | None = None
    seekable: bool = True


@dataclass(frozen=True, eq=False)
class Frame:
    """One decoded frame: `image` is (height, width, 3) uint8 RGB, `time` is exact seconds from the first frame.

    `index` counts the frames of the source from 0; a lost frame leaves a hole in it. `shot` counts its shots: it grows
    at a cut. `scaled_from` is the width and height it was stored with, where that is not the first frame's.
    """

    index: int
    time: Fraction
    image: NDArray[np.uint8]
    shot: int = 0
    scaled_from: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class FramePair:
    """Two frames of equal size; flow runs from `first` to `second`.

    `continues` is true when the previous pair reaches up to `first`, so that its flow may start this one's. `cut` is
    true when another shot begins between the two, so that their flow means nothing.
    """

    first: Frame
    second: Frame
    continues: bool
    cut: bool = False


def lost_frames(path: Path, lost: int, *, hint: str) -> PartialError | None:
    """The error of an input of which so many frames could not be decoded; None where all could."""
    if not lost:
        return None
    return PartialError(f"{lost} frame{'s' * (lost != 1)} of {path} could not be decoded", hint=hint)
