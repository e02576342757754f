"""A folder of pairs: NAME/{frame1.png, frame2.png, flow.npz or flow.flo}, and perhaps a manifest.json."""

from __future__ import annotations

import json
import zipfile
import zlib
from typing import TYPE_CHECKING

import numpy as np

from flowcli.datasets import FlowItem
from flowcli.errors import SourceError, UsageError
from flowcli.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

    from numpy.typing import NDArray

LAYOUT_HINT = "give a folder that holds NAME/frame1.png, NAME/frame2.png and NAME/flow.npz or NAME/flow.flo"
NPZ_HINT = "store it with numpy.savez(path, flow=..., valid=...): flow (height, width, 2) float, valid (height, width)"
# Middlebury's sign for "unknown" in .flo files.
UNKNOWN_FLOW = 1e9


def items(root: Path) -> Iterator[FlowItem]:
    """Every pair below `root`, by name; groups come from manifest.json, else from the name before its first `_`."""
    if not root.exists():
        raise UsageError(f"{root} does not exist", hint=LAYOUT_HINT)
    if not root.is_dir():
        raise SourceError(f"{root} is not a folder", hint=LAYOUT_HINT)
    folders = sorted(folder for folder in root.iterdir() if _holds_a_pair(folder))
    if not folders:
        raise SourceError(f"{root} holds no pairs", hint=LAYOUT_HINT)
    groups = _read_groups(root / "manifest.json")
    return (_read_item(folder, groups.get(folder.name, folder.name.split("_")[0])) for folder in folders)


def _holds_a_pair(folder: Path) -> bool:
    parts = ("frame1.png", "frame2.png", "flow.npz", "flow.flo")
    return not folder.name.startswith(".") and any((folder / part).is_file() for part in parts)


def _read_groups(manifest: Path) -> dict[str, str]:
    if not manifest.is_file():
        return {}
    try:
        entries = json.loads(manifest.read_text(encoding="utf-8"))
        return {name: str(entry["group"]) for name, entry in entries.items() if "group" in entry}
    except (ValueError, TypeError, AttributeError, OSError) as error:
        hint = 'write {"NAME": {"group": "GROUP"}, ...}, or remove it to group pairs by the start of their names'
        raise SourceError(f"{manifest} is not a manifest of pairs: {error}", hint=hint) from error


def _read_item(folder: Path, group: str) -> FlowItem:
    first, second = _read_image(folder / "frame1.png"), _read_image(folder / "frame2.png")
    if first.shape != second.shape:
        sizes = f"{_size(first.shape)} and {_size(second.shape)}"
        raise SourceError(f"the frames of {folder} differ in size: {sizes}", hint="give two frames of equal size")
    flow, valid = _read_flow(folder, first.shape[:2])
    known = (np.abs(flow) < UNKNOWN_FLOW).all(axis=2)  # NaN compares false
    flow[~known] = 0
    return FlowItem(folder.name, group, first, second, flow, valid & known)


def _read_image(path: Path) -> NDArray[np.uint8]:
    if not path.is_file():
        raise SourceError(f"{path} is missing", hint=LAYOUT_HINT)
    data = np.fromfile(path, dtype=np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise SourceError(f"{path} is not a picture that can be read", hint="store it as PNG again")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _read_flow(folder: Path, size: tuple[int, ...]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    if (folder / "flow.npz").is_file():
        return read_npz(folder / "flow.npz", size)
    path = folder / "flow.flo"
    if not path.is_file():
        raise SourceError(f"{folder} has neither flow.npz nor flow.flo", hint=LAYOUT_HINT)
    from flowcli.sinks import flo  # noqa: PLC0415  only some folders need it

    flow = np.array(flo.read(path), dtype=np.float32)
    if flow.shape != (*size, 2):
        message = f"{path} is {_size(flow.shape)} but its frames are {_size(size)}"
        raise SourceError(message, hint="give flow on the first frame's grid")
    return flow, np.ones(size, dtype=np.bool_)


def read_npz(path: Path, size: tuple[int, ...]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """`flow` (height, width, 2) of a file, and where it is `valid`; raises SourceError for another `size`."""
    try:
        with zipfile.ZipFile(path) as archive:
            flow = _read_array(archive, "flow", (*size, 2), kinds="f").astype(np.float32)
            if "valid.npy" not in archive.namelist():
                return flow, np.ones(size, dtype=np.bool_)
            return flow, _read_array(archive, "valid", size, kinds="biuf").astype(np.float32) >= 0.5
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError, OSError) as error:
        raise SourceError(f"{path} cannot be used: {error}", hint=NPZ_HINT) from error


def _read_array(archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], *, kinds: str) -> NDArray[np.generic]:
    """One array, its header checked first, so that a wrong file costs no memory and runs no pickle."""
    with archive.open(f"{name}.npy") as member:
        found, dtype = _read_header(member)
    if found != shape or dtype.kind not in kinds:
        raise ValueError(f"{name} is {dtype} {found} where {shape} numbers are expected")
    with archive.open(f"{name}.npy") as member:
        array: NDArray[np.generic] = np.lib.format.read_array(member, allow_pickle=False)
    return array


def _read_header(member: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    version = np.lib.format.read_magic(member)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(member)
    return shape, dtype


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
