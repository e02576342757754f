"""What is inspected: two frames, where they come from, and their true flow where it is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flowcli.errors import SourceError, UsageError
from flowcli.flow.colour import is_unknown
from flowcli.flow.formats import flo, npz
from flowcli.media.demo_clip import fan_flow, fan_frames
from flowcli.media.images import read_images
from flowcli.media.sources import open_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jaxtyping import Bool, Float, UInt8
    from numpy.typing import NDArray

    from flowcli.media.frames import Frame

    Image = UInt8[NDArray[np.uint8], "height width 3"]

DEMO = "demo"
FAN_SIZE = (288, 384)


@dataclass(frozen=True, eq=False)
class TrueFlow:
    """True flow in pixels, and where it is known."""

    flow: Float[NDArray[np.float32], "height width 2"]
    valid: Bool[NDArray[np.bool_], "height width"]


@dataclass(frozen=True, eq=False)
class Subject:
    """Two frames of equal size and what is known of them.

    `frames` are their numbers in the video they come from, `earlier` is the frame as far before the first as the second
    is after it: a warm start begins there.
    """

    name: str
    inputs: tuple[Path, ...]
    first: Image
    second: Image
    frames: tuple[int, int] | None = None
    earlier: Image | None = None
    truth: TrueFlow | None = None


def open_subject(inputs: Sequence[str], *, frame: int | None, skip: int | None, truth: Path | None) -> Subject:
    """What the arguments name: two images, a video or folder at `frame`, or the fan of `demo`; `truth` is a file."""
    subject = opened(inputs, frame=frame, skip=skip)
    return subject if truth is None else replace(subject, truth=read_truth(truth, subject.first))


def opened(inputs: Sequence[str], *, frame: int | None, skip: int | None) -> Subject:
    """The frames, and the truth that comes with them."""
    if len(inputs) == 2:
        if frame is not None or skip is not None:
            raise UsageError("--frame and --skip choose frames of a video", hint="leave them out for two images")
        return between(*map(Path, inputs))
    if len(inputs) != 1:
        raise UsageError(f"{len(inputs)} inputs are too many", hint="give two images, one video, or demo")
    start, step = frame or 0, skip or 1
    if inputs[0] == DEMO:
        return fan(start, step)
    return from_video(Path(inputs[0]), start, step)


def between(first: Path, second: Path) -> Subject:
    """Two images."""
    return Subject(first.stem, (first, second), *read_images(first, second))


def from_video(path: Path, start: int, step: int) -> Subject:
    """Frames `start` and `start + step` of a video or an image folder."""
    with open_source(path) as source:
        found = pick(source.frames(), start, step)
    for index in (start, start + step):
        if index not in found:
            raise UsageError(f"{path} has no frame {index}", hint="choose others with --frame and --skip")
    name = path.resolve().name if path.is_dir() else path.stem
    return Subject(name, (path,), found[start], found[start + step], (start, start + step), found.get(start - step))


def fan(start: int, step: int) -> Subject:
    """Frames of the turning fan, whose true flow is known."""
    height, width = FAN_SIZE
    found = pick(fan_frames(start + step + 1, height, width), start, step)
    flow = fan_flow(start, step, height=height, width=width).flow
    truth = TrueFlow(flow, np.ones(flow.shape[:2], np.bool_))
    frames = (start, start + step)
    return Subject("fan", (), found[start], found[start + step], frames, found.get(start - step), truth)


def pick(frames: Iterable[Frame], start: int, step: int) -> dict[int, Image]:
    """The frames at `start`, one `step` before and one after it, by number, of those there are."""
    wanted = {start - step, start, start + step}
    found = {}
    for frame in frames:
        if frame.index in wanted:
            found[frame.index] = frame.image
        if frame.index >= start + step:
            break
    return found


def read_truth(path: Path, like: Image) -> TrueFlow:
    """The true flow that a .flo or .npz file holds; raises SourceError where it does not fit the frame."""
    size = like.shape[:2]
    if path.suffix.lower() == ".npz":
        flow = npz.read(path)
    elif path.suffix.lower() == ".flo":
        flow = flo.read(path)
    else:
        raise UsageError(f"--gt {path} is not a kind of flow file that can be read", hint="give a .flo or .npz file")
    if flow.shape[:2] != size:
        sizes = f"{flow.shape[1]} x {flow.shape[0]}, but the frames are {size[1]} x {size[0]}"
        raise SourceError(f"{path} is {sizes}", hint="give the true flow on the first frame's grid")
    known = ~is_unknown(flow)
    return TrueFlow(np.where(known[..., None], flow, np.float32(0)), known)
