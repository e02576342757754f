"""All flow in one .npz, with frame numbers and times.

`flow` (pairs, height, width, 2), `frames`, `times`, `scale_factor`.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from flowcli.flow.formats.npy import read_layout
from flowcli.flow.formats.stack import Stack
from flowcli.flow.kinds import ArrayFile
from flowcli.flow.naming import Naming
from flowcli.flow.outputs.npy import NpyFile

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_LOCAL_HEADER = struct.Struct("<26x2H")


class NpzFile(NpyFile):
    """An .npz file; its array is written beside it first, because the header of a zip's member comes before it."""

    quantises = True

    @property
    def path(self) -> Path:
        """The path of the array."""
        return super().path.with_suffix(".flow.npy")

    def finish(self) -> None:
        """Moves the array into the file, with the attributes beside it."""
        super().finish()
        with zipfile.ZipFile(super().path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            archive.write(self.path, "flow.npy")
            for name, value in self.attributes.items():
                with archive.open(f"{name}.npy", "w") as member:
                    np.lib.format.write_array(member, np.asarray(value), allow_pickle=False)
        self.path.unlink()

    def release(self) -> None:
        """Closes and removes the array."""
        try:
            super().release()
        finally:
            self.path.unlink(missing_ok=True)


def read(path: Path) -> Stack:
    """The array, mapped into memory where it is not compressed; raises ValueError or KeyError for other files."""
    try:
        with zipfile.ZipFile(path) as archive, np.load(path, allow_pickle=False) as arrays:
            mapped = _mapped(path, archive)
            attributes = {name: arrays[name] for name in arrays.files if name != "flow"}
            return Stack(arrays["flow"] if mapped is None else mapped, attributes)
    except (zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(error) from error


def _mapped(path: Path, archive: zipfile.ZipFile) -> NDArray[Any] | None:
    """The array `flow` without reading it; None where it is compressed, or holds no numbers."""
    place = archive.getinfo("flow.npy")
    with archive.open(place) as member:
        shape, order, dtype = read_layout(member)
        start = member.tell()
    if place.compress_type != zipfile.ZIP_STORED or dtype.kind not in "fi":
        return None
    with path.open("rb") as file:
        file.seek(place.header_offset)
        header = file.read(_LOCAL_HEADER.size)
    start += place.header_offset + len(header) + sum(_LOCAL_HEADER.unpack(header))
    return np.memmap(path, dtype, "r", start, shape, order)


KIND = ArrayFile(NpzFile, read, Naming("flow", ".npz", video=".npz", pairs=False))
