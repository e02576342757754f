"""The formats of flow files: how they are recognised, read and written.

Every format is one file here, which declares `KIND = FlowFile(read, write, naming)`, and one line of `FORMATS`.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from jaxtyping import Float
    from numpy.typing import NDArray

    from flowcli.flow.kinds import Contents, FlowFile

    Flow = Float[NDArray[np.float32], "height width 2"]


@dataclass(frozen=True)
class Format:
    """One format: the ending of its file names, what it preserves, and whether --save writes it."""

    ending: str
    keeps: str
    saved: bool = False


FORMATS = {
    "flo": Format(".flo", "float32, exact", saved=True),
    "npz": Format(".npz", "float32, exact, or float16 with --half; and which vectors are valid", saved=True),
    "npy": Format(".npy", "float32, exact"),
    "pfm": Format(".pfm", "float32, exact", saved=True),
    "exr": Format(".exr", "float32, exact, or float16 with --half", saved=True),
    "film": Format(".exr", "forward.u, forward.v and the backward ones, exact, or float16 with --half", saved=True),
    "stmap": Format(".exr", "float32 from 0 to 1, exact to thousandths of a px", saved=True),
    "flo5": Format(".flo5", "float32, exact; Spring's HDF5, extra `hdf5`"),
    "kitti": Format("_kitti.png", "steps of 1/64 px up to 512 px; and which are valid", saved=True),
    "planes": Format("_x.jpg", "x and y as grey JPEG up to --bound px, for two-stream networks", saved=True),
    "planes_png": Format("_x.png", "x and y as grey PNG up to --bound px", saved=True),
}
"""Every format, the most exact ones first; listed apart from the modules, so that --help imports none of them."""
ARRAYS = {
    "hdf5": Format(".h5", "the flow of many pairs as HDF5, exact, or smaller with --half, --quantise; extra `hdf5`"),
    "zarr": Format(".zarr", "the same as Zarr; extra `zarr`"),
}
"""The formats that only hold the flow of many pairs in one array, which .npy and .npz can, too."""
PICTURES = {"png": "the flow in colour", "video": "the flow of a folder in colour, an .mp4"}
"""What flow can be drawn as, but not read from."""


def format_of(path: Path) -> str | None:
    """The format of a file by its name, and of a PNG by its bit depth; None if it is no flow file."""
    if path.suffix.lower() == ".png":
        return "kitti" if is_deep(path) else "planes_png" if path.name.lower().endswith("_x.png") else None
    endings = {each.ending: name for name, each in reversed(FORMATS.items())}
    return next((name for ending, name in endings.items() if path.name.lower().endswith(ending)), None)


def is_deep(path: Path) -> bool:
    """Whether a PNG has 16 bits per channel, as KITTI's have and pictures of flow do not."""
    with path.open("rb") as file:
        return file.read(25)[24:] == b"\x10"


def stem_of(path: Path, name: str) -> str:
    """The name of a file of this format without its ending; KITTI's own files do not end with `_kitti`."""
    lower = path.name.lower()
    ending = FORMATS[name].ending
    return path.name[: -len(ending)] if lower.endswith(ending) else path.stem


def flow_file(name: str) -> FlowFile:
    """The functions that read and write a format."""
    kind: FlowFile = importlib.import_module(f"{__name__}.{name}").KIND
    return kind


def reader(name: str, *, bound: float = 1.0, channels: str | None = None) -> Callable[[Path], Flow]:
    """The function that reads files of a format; `bound`, in px, is the one that planes were written with.

    `channels` (`U,V`) are those of an EXR file that hold x and y; by default the ones that are called so.
    """
    return flow_file(name).reader(bound=bound, channels=channels)


def writer(name: str, *, bound: float = 1.0, half: bool = False, y: str = "up") -> Callable[..., None]:
    """The function that writes a path and flow in a format.

    `bound` in px is for planes, `half` (float16) for npz, exr and film, `y`, up or down, for film and stmap.
    """
    return flow_file(name).writer(bound=bound, half=half, y=y)


def contents(name: str, path: Path, *, channels: str | None = None) -> Contents:
    """What a file of this format holds besides the flow that is read; raises SourceError for an unreadable file."""
    return flow_file(name).holds(path, channels=channels)
