"""Spring's .flo5 files: HDF5 with one array, `flow` (height, width, 2), NaN where ground truth is unknown."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from flowcli.errors import DeviceError, SourceError
from flowcli.flow.colour import with_nan
from flowcli.flow.kinds import FlowFile
from flowcli.flow.naming import Naming
from flowcli.system.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from numpy.typing import NDArray

_HINT = "give a .flo5 file of the Spring benchmark, or copy it again"
_MAX_SIDE = 65535


def write(path: Path, flow: NDArray[np.float32]) -> None:
    """Writes flow (height, width, 2), compressed as Spring's files are, NaN where it is unknown."""
    data = io.BytesIO()
    with hdf5().File(data, "w") as file:
        file.create_dataset("flow", data=np.asarray(with_nan(flow), np.float32), compression="gzip", compression_opts=5)
    write_whole(path, data.getbuffer())


def read(path: Path) -> NDArray[np.float32]:
    """Reads flow (height, width, 2) as float32; checks its shape before it is decompressed."""
    h5py = hdf5()
    try:
        with h5py.File(path, "r") as file:
            flow = file.get("flow")
            if not isinstance(flow, h5py.Dataset):
                raise SourceError(f"{path} holds no array called flow", hint=_HINT)
            shape = flow.shape
            if len(shape) != 3 or shape[2] != 2 or flow.dtype.kind != "f" or not 0 < max(shape) <= _MAX_SIDE:
                raise SourceError(f"{path} is {flow.dtype} {shape} where (height, width, 2) is expected", hint=_HINT)
            return np.asarray(flow[()], dtype=np.float32)
    except OSError as error:
        raise SourceError(f"{path} cannot be read as HDF5: {error}", hint=_HINT) from error


def hdf5() -> ModuleType:
    """The h5py module; raises DeviceError where this extra is not installed."""
    try:
        import h5py  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise DeviceError("h5py is not installed", hint="pip install h5py") from error
    library: ModuleType = h5py
    return library


KIND = FlowFile(read, write, Naming("flow", ".flo5"))
