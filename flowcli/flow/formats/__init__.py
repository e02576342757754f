"""The formats of flow files: how they are recognised, read and written.

Every format is one file here, which declares `KIND = FlowFile(read, write, naming)`, and one line of `FORMATS`.
"""

from __future__ import annotations

import importlib
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowcli.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from jaxtyping import Float
    from numpy.typing import NDArray

    from flowcli.flow.kinds import FlowFile

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
    "exr": Format(".exr", "float32, exact", saved=True),
    "flo5": Format(".flo5", "float32, exact; Spring's HDF5, extra `hdf5`"),
    "kitti": Format("_kitti.png", "steps of 1/64 px up to 512 px; and which are valid", saved=True),
    "planes": Format("_x.jpg", "x and y as grey JPEG up to --bound px, for two-stream networks"),
}
"""Every format, the most exact ones first; listed apart from the modules, so that --help imports none of them."""
PICTURES = {"png": "the flow in colour", "video": "the flow of a folder in colour, an .mp4"}
"""What flow can be drawn as, but not read from."""


def format_of(path: Path) -> str | None:
    """The format of a file by its name, and of a PNG by its bit depth; None if it is no flow file."""
    if path.suffix.lower() == ".png":
        return "kitti" if is_deep(path) else None
    endings = {each.ending: name for name, each in FORMATS.items()}
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


def reader(name: str, *, bound: float = 1.0) -> Callable[[Path], Flow]:
    """The function that reads files of a format; `bound`, in px, is the one that planes were written with."""
    return flow_file(name).reader(bound=bound)


def writer(name: str, *, bound: float = 1.0, half: bool = False) -> Callable[[Path, Flow], None]:
    """The function that writes files of a format; `bound` in px is for planes, `half` (float16) for npz."""
    return flow_file(name).writer(bound=bound, half=half)


def extras(path: Path) -> list[str]:
    """The arrays of an .npz file other than `flow` and `valid`; raises SourceError for an unreadable file."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile) as error:
        raise SourceError(f"{path} cannot be read: {error}", hint="copy it again") from error
    return sorted(names - {"flow", "valid"})
