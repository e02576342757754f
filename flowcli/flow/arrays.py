"""Finds the kind of an array of flow by the name of its file, and reads it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import numpy as np

from flowcli.errors import SourceError
from flowcli.flow.formats._reading import MAX_SIDE

if TYPE_CHECKING:
    from pathlib import Path

    from flowcli.flow.formats.stack import Stack
    from flowcli.flow.kinds import ArrayFile

ENDINGS = {".npy": "npy", ".npz": "npz_video", ".h5": "hdf5", ".hdf5": "hdf5", ".zarr": "zarr"}
"""The endings of files that may hold such an array, and the module of `outputs` that reads and writes them."""
_KIND = "an array of shape (pairs, height, width, 2) or (pairs, 2, height, width)"


def kind_for(path: Path) -> ArrayFile:
    """The kind of array that a path is named as; raises SourceError for any other name."""
    name = ENDINGS.get(path.suffix.lower())
    if name is None:
        raise SourceError(f"{path} is not an array of flow", hint=f"arrays end with {', '.join(ENDINGS)}")
    kind: ArrayFile = importlib.import_module(f"flowcli.flow.outputs.{name}").KIND
    return kind


def is_stack(path: Path) -> bool:
    """Whether a file holds the flow of many pairs; raises DeviceError where the library for it is missing."""
    try:
        read_stack(path)
    except SourceError:
        return False
    return True


def read_stack(path: Path) -> Stack:
    """The flow of many pairs; raises SourceError for any other file."""
    kind = kind_for(path)
    try:
        stack = kind.read(path)
        shape, dtype = stack.array.shape, stack.array.dtype
        known = dtype.kind == "f" or (dtype == np.int16 and "scale_factor" in stack.attributes)
        if not (known and len(shape) == 4 and 2 in {shape[1], shape[3]} and shape[0]):
            raise ValueError(f"it is {dtype} {shape}")
        if not all(0 < side <= MAX_SIDE for side in shape[1:]):
            raise ValueError(f"it is {dtype} {shape}")
    except (OSError, ValueError, EOFError, KeyError) as error:
        raise SourceError(f"{path} cannot be used: {error}", hint=f"give {_KIND}") from error
    return stack
