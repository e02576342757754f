"""Reads the two frames to inspect, and their ground truth if any."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flowcli.errors import SourceError, UsageError
from flowcli.flow.colour import is_unknown
from flowcli.flow.formats import flo, npz
from flowcli.inspection.request import DEMO, DEMO_NAME
from flowcli.media.demo_clip import fan_flow, fan_frames_at
from flowcli.media.images import read_images
from flowcli.media.sources import name_of, open_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jaxtyping import Bool, Float, UInt8
    from numpy.typing import NDArray

    from flowcli.media.frames import Frame

    Image = UInt8[NDArray[np.uint8], "height width 3"]

FAN_SIZE = (480, 640)
FAN_START, FAN_STEP = 10, 3
"""The frames of the demo: three apart, so that the blades move by up to 6 cells, as in the article."""


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """The exact flow in px, and the pixels where it is known; unknown flow is 0.

    `visible` states, if known, which pixels the second frame shows.
    """

    flow: Float[NDArray[np.float32], "height width 2"]
    valid: Bool[NDArray[np.bool_], "height width"]
    visible: Bool[NDArray[np.bool_], "height width"] | None = None

    @property
    def with_nan(self) -> Float[NDArray[np.float32], "height width 2"]:
        """The flow in px, NaN where it is unknown."""
        return np.where(self.valid[..., None], self.flow, np.float32(np.nan))


@dataclass(frozen=True, eq=False)
class Subject:
    """Two frames of equal size to inspect.

    `frames` are their indices in their video; `earlier` is the frame that precedes the first by as much as the second
    follows it, for a warm start.
    """

    name: str
    inputs: tuple[Path, ...]
    first: Image
    second: Image
    frames: tuple[int, int] | None = None
    earlier: Image | None = None
    ground_truth: GroundTruth | None = None


def open_subject(inputs: Sequence[str], *, frame: int | None, skip: int | None, ground_truth: Path | None) -> Subject:
    """The frames of two images, of a video or image folder at `frame`, or of `demo`, and the ground truth of a file.

    Raises UsageError for wrong arguments, SourceError if ground truth is unknown or differs in size.
    """
    subject = opened(inputs, frame=frame, skip=skip)
    if ground_truth is None:
        return subject
    return replace(subject, ground_truth=read_ground_truth(ground_truth, subject.first))


def opened(inputs: Sequence[str], *, frame: int | None, skip: int | None) -> Subject:
    """The frames, with the ground truth of the demo."""
    if len(inputs) == 2:
        if frame is not None or skip is not None:
            raise UsageError("--frame and --skip choose frames of a video", hint="leave them out for two images")
        return between(*map(Path, inputs))
    if len(inputs) != 1:
        raise UsageError(f"{len(inputs)} inputs are too many", hint="give two images, one video, or demo")
    if inputs[0] == DEMO:
        return fan(FAN_START if frame is None else frame, skip or FAN_STEP)
    return from_video(Path(inputs[0]), frame or 0, skip or 1)


def between(first: Path, second: Path) -> Subject:
    """The subject of two image files."""
    return Subject(name_of(first), (first, second), *read_images(first, second)[:2])


def from_video(path: Path, start: int, step: int) -> Subject:
    """The subject of frames `start` and `start + step` of a video or image folder; UsageError if one is missing."""
    with open_source(path) as source:
        found = pick(source.frames(), start, step)
    for index in (start, start + step):
        if index not in found:
            raise UsageError(f"{path} has no frame {index}", hint="choose others with --frame and --skip")
    frames = (start, start + step)
    return Subject(name_of(path), (path,), found[start], found[start + step], frames, found.get(start - step))


def fan(start: int, step: int) -> Subject:
    """The subject of frames `start` and `start + step` of the demo, a turning fan with ground truth."""
    height, width = FAN_SIZE
    indices = [index for index in (start - step, start, start + step) if index >= 0]
    found = {frame.index: frame.image for frame in fan_frames_at(indices, height, width)}
    truth = fan_flow(start, step, height=height, width=width)
    ground_truth = GroundTruth(truth.flow, np.ones(truth.visible.shape, np.bool_), truth.visible)
    frames = (start, start + step)
    return Subject(DEMO_NAME, (), found[start], found[start + step], frames, found.get(start - step), ground_truth)


def pick(frames: Iterable[Frame], start: int, step: int) -> dict[int, Image]:
    """The images at `start - step`, `start` and `start + step`, by index, as far as they exist."""
    wanted = {start - step, start, start + step}
    found = {}
    for frame in frames:
        if frame.index in wanted:
            found[frame.index] = frame.image
        if frame.index >= start + step:
            break
    return found


def read_ground_truth(path: Path, like: Image) -> GroundTruth:
    """The ground truth in a .flo or .npz file.

    Raises SourceError if its size is not that of the image `like`, or if it holds no known flow.
    """
    size = like.shape[:2]
    if path.suffix.lower() == ".npz":
        flow = npz.read(path)
    elif path.suffix.lower() == ".flo":
        flow = flo.read(path)
    else:
        raise UsageError(f"--gt {path} is not a .flo or .npz file", hint="convert it with flowcli convert")
    if flow.shape[:2] != size:
        sizes = f"{flow.shape[1]} x {flow.shape[0]}, but the frames are {size[1]} x {size[0]}"
        raise SourceError(f"{path} is {sizes}", hint="give ground truth of the size of the first frame")
    known = ~is_unknown(flow)
    if not known.any():
        raise SourceError(f"{path} holds no known flow", hint="leave --gt out, or give other ground truth")
    return GroundTruth(np.where(known[..., None], flow, np.float32(0)), known)
