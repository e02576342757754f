"""The flow of many pairs in one NumPy array (pairs, height, width, 2), written and read pair by pair."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from flowcli.errors import SourceError
from flowcli.flow.colour import with_nan
from flowcli.flow.formats._reading import MAX_SIDE, opened
from flowcli.flow.formats.npy import read_header
from flowcli.system.files import PartFile, reported

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jaxtyping import Float
    from numpy.typing import NDArray

_KIND = "an .npy file of shape (pairs, height, width, 2) or (pairs, 2, height, width)"


class StackFile:
    """An .npy file while it is written, float32 or float16 if `half`; it is complete under its name after `close`."""

    def __init__(self, path: Path, *, half: bool = False) -> None:
        self._part = PartFile(path)
        self._dtype = np.dtype(np.float16 if half else np.float32)
        self._file = self._part.path.open("wb")
        self._count, self._size = 0, (0, 0)

    def add(self, flow: Float[NDArray[np.float32], "height width 2"]) -> None:
        """Adds one flow, with NaN where it is unknown; raises SourceError where its size is another."""
        if self._count and flow.shape[:2] != self._size:
            sizes = f"{flow.shape[1]} x {flow.shape[0]}, but the first is {self._size[1]} x {self._size[0]}"
            raise SourceError(f"flow number {self._count} is {sizes}", hint="an array has one size")
        with reported(self._part.final):
            if not self._count:
                self._size = (flow.shape[0], flow.shape[1])
                self._file.write(self._header())
            with np.errstate(over="ignore"):
                stored = with_nan(flow).astype(self._dtype)
            # Too long for float16.
            stored[~np.isfinite(stored).all(axis=2)] = np.nan
            self._file.write(stored.tobytes())
        self._count += 1

    def close(self) -> None:
        """Completes the file."""
        self._complete()
        self._part.commit()

    def finish_partial(self) -> Path | None:
        """Completes the file as `NAME.partial.npy`; None where it is empty."""
        if not self._count:
            self.abort()
            return None
        self._complete()
        return self._part.commit_partial()

    def abort(self) -> None:
        """Removes the file."""
        self._file.close()
        self._part.discard()

    def _complete(self) -> None:
        with reported(self._part.final):
            self._file.seek(0)
            self._file.write(self._header())
            self._file.close()

    def _header(self) -> bytes:
        """The header for the pairs so far: NumPy leaves room in it for any number, so that its length stays."""
        header = io.BytesIO()
        shape = (self._count, *self._size, 2)
        described = {"descr": self._dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(header, described)
        return header.getvalue()


def is_stack(path: Path) -> bool:
    """Whether a file is an .npy array with four axes."""
    if path.suffix.lower() != ".npy" or not path.is_file():
        return False
    with opened(path, kind=_KIND) as file:
        try:
            return len(read_header(file)[0]) == 4
        except (ValueError, EOFError):
            return False


def read_stack(path: Path) -> Sequence[NDArray[np.floating]]:
    """The flow (height, width, 2) of each pair, read from disk when it is used; raises SourceError for other arrays."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise SourceError(f"{path} cannot be used: {error}", hint=f"give {_KIND}") from error
    known = array.dtype.kind == "f" and array.ndim == 4 and 2 in {array.shape[1], array.shape[3]}
    if not known or not all(0 < side <= MAX_SIDE for side in array.shape[1:]) or not len(array):
        raise SourceError(f"{path} cannot be used: it is {array.dtype} {array.shape}", hint=f"give {_KIND}")
    views: Sequence[NDArray[np.floating]] = array if array.shape[3] == 2 else array.transpose(0, 2, 3, 1)
    return views
