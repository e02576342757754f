"""All flow in one NumPy array (pairs, height, width, 2).

Of a pair (height, width, 2).
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from flowcli.flow.formats.stack import Stack, StackFile
from flowcli.flow.kinds import ArrayFile
from flowcli.flow.naming import Naming

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


class NpyFile(StackFile):
    """An .npy file, which has no place for attributes, and so is never int16."""

    quantises = False

    def open(self) -> None:
        """Opens the file."""
        self._file = self.path.open("wb")

    def begin(self) -> None:
        """Writes the header, to leave room for it."""
        self._file.write(self._header())

    def append(self, stored: NDArray[Any]) -> None:
        """Writes the flow of one more pair."""
        self._file.write(stored.tobytes())

    def finish(self) -> None:
        """Writes the header again, with the number of pairs."""
        self._file.seek(0)
        self._file.write(self._header())
        self._file.close()

    def release(self) -> None:
        """Closes the file."""
        self._file.close()

    def _header(self) -> bytes:
        """The header for the pairs so far: NumPy leaves room in it for any number, so that its length stays."""
        header = io.BytesIO()
        shape = (self.count, *self.size, 2)
        described = {"descr": self.dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(header, described)
        return header.getvalue()


def read(path: Path) -> Stack:
    """The array, mapped into memory."""
    return Stack(np.load(path, mmap_mode="r", allow_pickle=False))


KIND = ArrayFile(NpyFile, read, Naming("flow", ".npy", video=".npy"))
