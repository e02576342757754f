"""The flow of a whole video as one Zarr array (pairs, height, width, 2), a chunk for each pair (extra `zarr`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowcli.errors import DeviceError
from flowcli.flow.formats.stack import UNKNOWN, Stack, StackFile
from flowcli.flow.kinds import ArrayFile
from flowcli.flow.naming import Naming
from flowcli.system.files import PartFolder

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from numpy.typing import NDArray


class ZarrFolder(StackFile):
    """A folder in the format of Zarr, whose array grows by a chunk for each pair."""

    part = PartFolder

    def __init__(self, path: Path, *, half: bool = False, quantised: bool = False) -> None:
        self._library = library()
        super().__init__(path, half=half, quantised=quantised)
        self._flow: Any = None

    def begin(self) -> None:
        """Makes the array."""
        self._flow = self._library.open_array(
            str(self.path),
            mode="w",
            shape=(0, *self.size, 2),
            chunks=(1, *self.size, 2),
            dtype=self.dtype,
            fill_value=UNKNOWN if self.dtype.kind == "i" else float("nan"),
        )

    def append(self, stored: NDArray[Any]) -> None:
        """Adds a chunk."""
        self._flow.resize((self.count + 1, *self.size, 2))
        self._flow[self.count] = stored

    def finish(self) -> None:
        """Writes the attributes."""
        if self._flow is not None:
            self._flow.attrs.update(self.attributes)

    def release(self) -> None:
        """Nothing is open."""


def library() -> ModuleType:
    """The zarr module; raises DeviceError where this extra is not installed."""
    try:
        import zarr  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise DeviceError("zarr is not installed", hint="pip install 'flowcli-raft[zarr]'") from error
    module: ModuleType = zarr
    return module


def read(path: Path) -> Stack:
    """The array, or that called `flow` in a group; raises ValueError or KeyError where there is none."""
    found = library().open(str(path), mode="r")
    flow = found if hasattr(found, "shape") else found["flow"]
    return Stack(flow, dict(flow.attrs))


KIND = ArrayFile(ZarrFolder, read, Naming("flow", ".zarr", video=".zarr", pairs=False))
