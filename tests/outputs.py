"""Paths and times of a run's outputs, and which of them can be written here."""

from __future__ import annotations

from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

from flowcli.flow.outputs import output_names
from flowcli.media.pyav import VideoReader

_EXTRAS = {"hdf5": "h5py", "zarr": "zarr"}
WRITABLE = [name for name in output_names() if find_spec(_EXTRAS.get(name, "numpy"))]
"""The values of --save whose libraries are installed."""


def files_below(folder: str) -> list[str]:
    """The files below a folder; an array in the format of Zarr is a folder, and counts as one."""
    arrays = set(Path(folder).rglob("*.zarr"))
    files = {path for path in Path(folder).rglob("*") if path.is_file() and not arrays & set(path.parents)}
    return sorted(str(path.relative_to(folder)) for path in arrays | files)


def times_of(path: str) -> list[Fraction]:
    with VideoReader(Path(path)) as reader:
        return [frame.time for frame in reader.frames()]
