"""Flow as a plain NumPy array (height, width, 2)."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

import numpy as np

from flowcli.errors import SourceError
from flowcli.sinks._reading import MAX_SIDE, opened
from flowcli.system.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from jaxtyping import Float
    from numpy.typing import NDArray

_KIND = "an .npy file of shape (height, width, 2) or (2, height, width)"
_MOST_BYTES = 1 << 32


def write(path: Path, flow: Float[NDArray[np.float32], "height width 2"]) -> None:
    """Writes float32, for `numpy.load`."""
    data = io.BytesIO()
    np.save(data, np.ascontiguousarray(flow, np.float32), allow_pickle=False)
    write_whole(path, data.getbuffer())


def read(path: Path) -> Float[NDArray[np.float32], "height width 2"]:
    """Reads an array of floats, of either order; no pickle is executed."""
    with opened(path, kind=_KIND) as file:
        try:
            version = np.lib.format.read_magic(file)
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = header(file)
            if dtype.kind != "f" or len(shape) != 3 or 2 not in {shape[0], shape[2]} or max(shape) > MAX_SIDE:
                raise ValueError(f"it is {dtype} {shape}")
            if math.prod(shape) * dtype.itemsize > _MOST_BYTES:
                raise ValueError(f"it is too large: {shape}")
            file.seek(0)
            flow = np.lib.format.read_array(file, allow_pickle=False).astype(np.float32)
        except (ValueError, EOFError) as error:
            raise SourceError(f"{path} cannot be used: {error}", hint=f"give {_KIND}") from error
    return flow if shape[2] == 2 else np.ascontiguousarray(flow.transpose(1, 2, 0))
