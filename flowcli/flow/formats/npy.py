"""Flow as a plain NumPy array (height, width, 2); headers are checked first, and no pickle is executed."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from flowcli.errors import SourceError
from flowcli.flow.colour import with_nan
from flowcli.flow.formats._reading import MAX_SIDE, opened
from flowcli.flow.kinds import FlowFile
from flowcli.flow.naming import Naming
from flowcli.system.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

    from jaxtyping import Float
    from numpy.typing import NDArray

_KIND = "an .npy file of shape (height, width, 2) or (2, height, width)"


def write(path: Path, flow: Float[NDArray[np.float32], "height width 2"]) -> None:
    """Writes float32 (height, width, 2) for `numpy.load`, NaN where flow is unknown."""
    data = io.BytesIO()
    np.save(data, np.ascontiguousarray(with_nan(flow), np.float32), allow_pickle=False)
    write_whole(path, data.getbuffer())


def read(path: Path) -> Float[NDArray[np.float32], "height width 2"]:
    """Reads an array of floats with its two channels last or first."""
    flow = read_array(path, axes=3, kinds="f", kind=_KIND).astype(np.float32)
    if 2 not in {flow.shape[0], flow.shape[2]}:
        raise SourceError(f"{path} cannot be used: it is {flow.dtype} {flow.shape}", hint=f"give {_KIND}")
    return flow if flow.shape[2] == 2 else np.ascontiguousarray(flow.transpose(1, 2, 0))


def read_array(path: Path, *, axes: int, kinds: str, kind: str) -> NDArray[np.generic]:
    """An array with so many axes and a dtype of one of NumPy's `kinds`; raises SourceError, which names `kind`."""
    with opened(path, kind=kind) as file:
        try:
            shape, dtype = read_header(file)
            if dtype.kind not in kinds or len(shape) != axes or not all(0 < side <= MAX_SIDE for side in shape):
                raise ValueError(f"it is {dtype} {shape}")
            expected, size = file.tell() + math.prod(shape) * dtype.itemsize, path.stat().st_size
            if size != expected:
                raise ValueError(f"it says {dtype} {shape}, which takes {expected} bytes, but has {size}")
            file.seek(0)
            array: NDArray[np.generic] = np.lib.format.read_array(file, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise SourceError(f"{path} cannot be used: {error}", hint=f"give {kind}") from error
    return array


def read_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    """Shape and dtype from the header of an .npy file; raises ValueError for anything else."""
    shape, _, dtype = read_layout(file)
    return shape, dtype


def read_layout(file: IO[bytes]) -> tuple[tuple[int, ...], Literal["C", "F"], np.dtype[np.generic]]:
    """Shape, order and dtype from the header of an .npy file; raises ValueError for anything else."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    return shape, "F" if fortran else "C", dtype


KIND = FlowFile(read, write, Naming("flow", ".npy"))
