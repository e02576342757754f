"""All flow in one HDF5 dataset (pairs, height, width, 2).

A chunk for each pair; needs the extra `hdf5`.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from flowcli.flow.formats.flo5 import hdf5
from flowcli.flow.formats.stack import UNKNOWN, Stack, StackFile
from flowcli.flow.kinds import ArrayFile
from flowcli.flow.naming import Naming

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


class Hdf5File(StackFile):
    """An HDF5 file whose dataset `flow` grows by a chunk for each pair."""

    _flow: Any = None

    def open(self) -> None:
        """Opens the file."""
        # Before version 1.10 of the format, attributes end at 64 KB: the times of 4,000 pairs. Chunks, which are
        # written once, have no cache: HDF5 2.0 crashes where it cannot write one at the end.
        self._file = hdf5().File(self.path, "w", libver=("v110", "latest"), rdcc_nbytes=0)

    def begin(self) -> None:
        """Makes the dataset."""
        self._flow = self._file.create_dataset(
            "flow",
            (0, *self.size, 2),
            self.dtype,
            maxshape=(None, *self.size, 2),
            chunks=(1, *self.size, 2),
            compression="gzip",
            compression_opts=1,
            shuffle=True,
            fillvalue=UNKNOWN if self.dtype.kind == "i" else float("nan"),
        )

    def append(self, stored: NDArray[Any]) -> None:
        """Adds a chunk."""
        self._flow.resize(self.count + 1, axis=0)
        self._flow[self.count] = stored

    def finish(self) -> None:
        """Writes the attributes, and closes the file."""
        if self._flow is not None:
            self._flow.attrs.update(self.attributes)
        self.release()

    def release(self) -> None:
        """Closes the file; raises OSError where the rest of it cannot be written."""
        try:
            self._file.close()
        except RuntimeError as error:
            code = re.search(r"errno = (\d+)", str(error))
            raise OSError(int(code[1]), os.strerror(int(code[1]))) if code else OSError(None, str(error)) from error


def read(path: Path) -> Stack:
    """The dataset `flow`, or the only one with four axes; raises KeyError where there is none."""
    library = hdf5()
    file = library.File(path, "r")
    found = [each for each in file.values() if isinstance(each, library.Dataset) and each.ndim == 4]
    flow = file["flow"] if len(found) != 1 else found[0]
    return Stack(flow, dict(flow.attrs))


KIND = ArrayFile(Hdf5File, read, Naming("flow", ".h5", video=".h5", pairs=False))
