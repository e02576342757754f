"""Frames, pairs of frames, and the metadata of a source."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flowcli.errors import PartialError
from flowcli.media.levels import Levels

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Audio:
    """The audio of the file at `path`, if it has any, from `start` on, in seconds of the file's own timestamps."""

    path: Path
    start: Fraction


@dataclass(frozen=True)
class VideoMeta:
    """Metadata of a source, known once it is open.

    `width` and `height` are as displayed (rotation applied). `rate` is frames per second, exact.
    `frame_count` is None where it is unknown, and an estimate unless `counted`: containers can be wrong. Times of
    frames are multiples of `tick` seconds; a video written with that tick repeats them exactly. `start` is the time of
    the first selected frame, in seconds after the first frame of the source. `pixel_aspect` is the width of a displayed
    pixel over its height. `seekable` is false where only the first frames can be sampled. `levels` are the stored
    values shown as black and white, None for the full range. `names` are those of its images, selected or not, where
    each has its own.
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
    levels: Levels | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Frame:
    """One decoded frame: `image` is (height, width, 3) uint8 RGB, `time` is exact seconds from the first frame.

    `index` counts the selected frames from 0, lost ones included. `skipped` frames and `start` seconds of the source
    come before the first; `skipped` is None where only decoding would tell. `shot` counts shots from 0. `scaled_from`
    is the stored width and height of a frame that was scaled to the first frame's size. `path` is the image file of the
    frame, and `name` what outputs are called after it.
    """

    index: int
    time: Fraction
    image: NDArray[np.uint8]
    shot: int = 0
    scaled_from: tuple[int, int] | None = None
    skipped: int | None = 0
    start: Fraction = Fraction(0)
    path: Path | None = None
    name: str | None = None

    @property
    def source_index(self) -> int | None:
        """The number of the frame in the whole source, from 0; None where it is unknown."""
        return None if self.skipped is None else self.index + self.skipped

    @property
    def source_time(self) -> Fraction:
        """Exact seconds from the first frame of the whole source."""
        return self.time + self.start


@dataclass(frozen=True, eq=False)
class FramePair:
    """Two frames of equal size; forward flow is from `first` to `second`.

    `continues` is true when the previous pair's flow can warm-start this pair. `cut` is true when the two frames are of
    different shots, between which flow has no meaning. `repeated_for` are later frames that get the same flow.
    `initial_flow` (2, height, width) in px is what updates of the flow start from. With `reference`, `first` is the
    same frame for all pairs.
    """

    first: Frame
    second: Frame
    continues: bool
    cut: bool = False
    repeated_for: tuple[Frame, ...] = ()
    initial_flow: Tensor | None = None
    reference: bool = False

    @property
    def own(self) -> Frame:
        """The frame that is this pair's alone, at whose time outputs show it: the second one of a reference."""
        return self.second if self.reference else self.first


def lost_frames(path: Path, lost: int, *, hint: str) -> PartialError | None:
    """The error of an input with `lost` frames that could not be decoded; None where there are none."""
    if not lost:
        return None
    return PartialError(f"{lost} frame{'s' * (lost != 1)} of {path} could not be decoded", hint=hint)
