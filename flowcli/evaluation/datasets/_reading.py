"""Reads samples: pictures, flow in any format, masks; sizes are compared before anything is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.errors import SourceError
from flowcli.evaluation.datasets._values import FlowItem, Truth
from flowcli.flow.formats import reader
from flowcli.system.opencv import cv2, decode

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from flowcli.evaluation.datasets._values import Sample

INCOMPLETE = "the dataset is incomplete: unpack it again, or copy the file"
# Middlebury's sign for "unknown" in .flo files.
UNKNOWN_FLOW = 1e9

_FORMATS = {".flo": "flo", ".png": "kitti", ".pfm": "pfm", ".npz": "npz", ".npy": "npy", ".flo5": "flo5"}


def read_item(sample: Sample, *, count_invalid: bool) -> FlowItem:
    """The pair and its truth, put together."""
    first, second = read_pair(sample)
    if sample.truth is None:
        raise SourceError(f"{sample.name} has no true flow", hint="choose another part of the dataset")
    truth = sample.truth()
    size = first.shape[:2]
    for name, values in (("flow", truth.flow), ("invalid mask", truth.invalid), ("occlusion mask", truth.occluded)):
        if values is not None and values.shape[:2] != size:
            message = f"{truth.path}: the {name} is {size_of(values)} where the frames are {size_of(first)}"
            raise SourceError(message, hint="give flow on the first frame's grid")
    # NaN compares false.
    valid: NDArray[np.bool_] = np.all(np.abs(truth.flow) < UNKNOWN_FLOW, axis=2)
    flow = np.where(valid[..., np.newaxis], truth.flow, np.float32(0))
    if truth.invalid is not None and not count_invalid:
        valid = valid & ~truth.invalid
    return FlowItem(sample.name, sample.group, first, second, flow, valid, truth.occluded)


def read_pair(sample: Sample) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The two frames of a sample, (height, width, 3) RGB of equal size."""
    first, second = read_picture(sample.first), read_picture(sample.second)
    if first.shape != second.shape:
        message = f"{sample.first} is {size_of(first)} and {sample.second} is {size_of(second)}"
        raise SourceError(message, hint="give two frames of equal size")
    return first, second


def read_picture(path: Path) -> NDArray[np.uint8]:
    """A picture as (height, width, 3) uint8 RGB."""
    return np.asarray(cv2.cvtColor(_decode(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), dtype=np.uint8)


def read_mask(path: Path) -> NDArray[np.bool_]:
    """Where a grey picture is not black."""
    return np.asarray(_decode(path, cv2.IMREAD_GRAYSCALE) > 0)


def read_flow(path: Path) -> NDArray[np.float32]:
    """The flow of a file in the format that its extension names, (height, width, 2); unknown is NaN or beyond 1e9."""
    must_exist(path)
    return reader(_FORMATS[path.suffix.lower()])(path)


def plain_truth(path: Path) -> Truth:
    """The truth of a flow file that says all by itself."""
    return Truth(path, read_flow(path))


def must_exist(path: Path) -> None:
    """Raises `SourceError` where a file that belongs to a dataset is not there."""
    if not path.is_file():
        raise SourceError(f"{path} is missing", hint=INCOMPLETE)


def size_of(values: NDArray[np.generic]) -> str:
    """Width x height of an array of pixels."""
    return f"{values.shape[1]} x {values.shape[0]}"


def _decode(path: Path, mode: int) -> NDArray[np.uint8]:
    must_exist(path)
    return np.asarray(decode(path, path.read_bytes(), mode), np.uint8)
