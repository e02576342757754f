"""Reads samples: images, flow in any format, and masks, whose sizes must agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.errors import SourceError
from flowcli.evaluation.datasets._values import FlowItem, GroundTruth
from flowcli.flow.formats import reader
from flowcli.system.opencv import cv2, decode

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from flowcli.evaluation.datasets._values import Sample

INCOMPLETE = "the dataset is incomplete: unpack it again, or copy the file"
# Middlebury's .flo files mark unknown flow by larger values.
UNKNOWN_FLOW = 1e9

_FORMATS = {".flo": "flo", ".png": "kitti", ".pfm": "pfm", ".npz": "npz", ".npy": "npy", ".flo5": "flo5"}


def read_item(sample: Sample, *, count_invalid: bool) -> FlowItem:
    """Reads a pair and its ground truth; raises SourceError as `datasets.read` does."""
    first, second = read_pair(sample)
    if sample.ground_truth is None:
        raise SourceError(f"{sample.name} has no ground truth", hint="choose another part of the dataset")
    known = sample.ground_truth()
    size = first.shape[:2]
    for name, values in (("flow", known.flow), ("invalid mask", known.invalid), ("occlusion mask", known.occluded)):
        if values is not None and values.shape[:2] != size:
            message = f"{known.path}: the {name} is {size_of(values)} where the frames are {size_of(first)}"
            raise SourceError(message, hint="give flow on the first frame's grid")
    # Comparisons with NaN are false.
    valid: NDArray[np.bool_] = np.all(np.abs(known.flow) < UNKNOWN_FLOW, axis=2)
    flow = np.where(valid[..., np.newaxis], known.flow, np.float32(0))
    if known.invalid is not None and not count_invalid:
        valid = valid & ~known.invalid
    return FlowItem(sample.name, sample.group, first, second, flow, valid, known.occluded)


def read_pair(sample: Sample) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The two images of a sample, (height, width, 3) RGB; raises SourceError where their sizes differ."""
    first, second = read_image(sample.first), read_image(sample.second)
    if first.shape != second.shape:
        message = f"{sample.first} is {size_of(first)} and {sample.second} is {size_of(second)}"
        raise SourceError(message, hint="give two frames of equal size")
    return first, second


def read_image(path: Path) -> NDArray[np.uint8]:
    """An image as (height, width, 3) uint8 RGB."""
    return np.asarray(cv2.cvtColor(_decode(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), dtype=np.uint8)


def read_mask(path: Path) -> NDArray[np.bool_]:
    """A mask (height, width), true where the grey image is not black."""
    return np.asarray(_decode(path, cv2.IMREAD_GRAYSCALE) > 0)


def read_flow(path: Path) -> NDArray[np.float32]:
    """The flow (height, width, 2) of a file, in the format of its extension; unknown flow is NaN or beyond 1e9 px."""
    must_exist(path)
    return reader(_FORMATS[path.suffix.lower()])(path)


def read_ground_truth(path: Path) -> GroundTruth:
    """The ground truth of a flow file without masks in other files."""
    return GroundTruth(path, read_flow(path))


def must_exist(path: Path) -> None:
    """Raises SourceError where a file of a dataset is missing."""
    if not path.is_file():
        raise SourceError(f"{path} is missing", hint=INCOMPLETE)


def size_of(values: NDArray[np.generic]) -> str:
    """The size of an array of pixels, as "width x height"."""
    return f"{values.shape[1]} x {values.shape[0]}"


def _decode(path: Path, mode: int) -> NDArray[np.uint8]:
    must_exist(path)
    return np.asarray(decode(path, path.read_bytes(), mode), np.uint8)
