"""NumPy's own files, their headers checked first, so that a wrong file costs no memory and runs no pickle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

    from numpy.typing import NDArray


def read(path: Path) -> NDArray[np.float32]:
    """Flow, (height, width, 2)."""
    flow = read_array(path, axes=3, kinds="f")
    if flow.shape[2] != 2:
        raise SourceError(f"{path} has {flow.shape[2]} channels where flow has 2", hint="store (height, width, 2)")
    return flow.astype(np.float32)


def read_array(path: Path, *, axes: int, kinds: str) -> NDArray[np.generic]:
    """An array of so many axes and of one of the `kinds` of NumPy's types."""
    hint = "store it with numpy.save, or copy it again"
    try:
        with path.open("rb") as file:
            shape, dtype = read_header(file)
            expected = file.tell() + int(np.prod(shape, dtype=object)) * dtype.itemsize
            if len(shape) != axes or dtype.kind not in kinds:
                raise SourceError(f"{path} is {dtype} {shape} where {axes} axes of numbers are expected", hint=hint)
        if path.stat().st_size != expected:
            message = f"{path} says {dtype} {shape}, which takes {expected} bytes, but has {path.stat().st_size}"
            raise SourceError(message, hint=hint)
        array: NDArray[np.generic] = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise SourceError(f"{path} cannot be used: {error}", hint=hint) from error
    return array


def read_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    """Shape and type of the array that follows; raises ValueError where there is none."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype
