"""NumPy .npz per pair, with mask, backward flow, occlusion."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from flowcli.errors import SourceError
from flowcli.flow.colour import is_unknown
from flowcli.flow.estimate import as_array
from flowcli.flow.formats._reading import MAX_SIDE, opened
from flowcli.flow.formats.npy import read_header
from flowcli.flow.kinds import Contents, FlowFile
from flowcli.flow.naming import Naming
from flowcli.system.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jaxtyping import Bool, Float
    from numpy.typing import NDArray

    from flowcli.flow.estimate import Estimate
    from flowcli.media.encoding import Encoding

    Flow = Float[NDArray[np.float32], "height width 2"]
    Mask = Bool[NDArray[np.bool_], "height width"]

_MAX_PIXELS = 178_956_970
_KIND = "an .npz file with an array `flow` (height, width, 2)"


def write(
    path: Path, flow: Flow, *, backward: Flow | None = None, occluded: Mask | None = None, half: bool = False
) -> None:
    """Writes `flow`, its mask `valid` and, if given, `backward` (on the second frame's grid) and `occluded`.

    Flow is float32, or float16 if `half`, and NaN where it is unknown; the masks are bool (height, width).
    """
    kind = np.float16 if half else np.float32
    stored = _as(kind, flow)
    arrays: dict[str, NDArray[np.generic]] = {"flow": stored, "valid": ~np.isnan(stored).any(axis=2)}
    if backward is not None:
        arrays["backward"] = _as(kind, backward)
    if occluded is not None:
        arrays["occluded"] = occluded
    data = io.BytesIO()
    np.savez(data, allow_pickle=False, **arrays)
    write_whole(path, data.getbuffer())


def save(path: Path, estimate: Estimate, encoding: Encoding) -> None:
    """Writes all arrays of an estimate into one file."""
    both = estimate.forward is not None and estimate.backward is not None
    write(
        path,
        estimate.flow,
        backward=as_array(estimate.backward) if both else None,
        occluded=estimate.occlusion,
        half=encoding.half,
    )


def read(path: Path) -> Flow:
    """Reads `flow` as float32; NaN where a mask `valid` is false."""
    with _unpacked(path) as archive:
        flow = _array(archive, "flow", kinds="f").astype(np.float32)
        if flow.ndim != 3 or flow.shape[2] != 2:
            raise ValueError(f"flow is {flow.shape}")
        if "valid.npy" in archive.namelist():
            valid = _mask(archive, "valid")
            if valid.shape != flow.shape[:2]:
                raise ValueError(f"flow is {flow.shape}, but valid is {valid.shape}")
            flow[~valid] = np.nan
    return flow


def read_mask(path: Path, name: str) -> Mask | None:
    """Reads an array of the file as a mask, true from 0.5 on; None if the file has no such array."""
    with _unpacked(path) as archive:
        return _mask(archive, name) if f"{name}.npy" in archive.namelist() else None


def contents(path: Path) -> Contents:
    """The arrays of a file other than `flow` and `valid`, which are left out."""
    with _unpacked(path) as archive:
        names = {name.removesuffix(".npy") for name in archive.namelist()}
    return Contents(left=tuple(sorted(names - {"flow", "valid"})))


@contextmanager
def _unpacked(path: Path) -> Iterator[zipfile.ZipFile]:
    with opened(path, kind=_KIND) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                yield archive
        except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError, RuntimeError) as error:
            raise SourceError(f"{path} cannot be used: {error}", hint=f"give {_KIND}") from error


def _mask(archive: zipfile.ZipFile, name: str) -> Mask:
    return np.asarray(_array(archive, name, kinds="biuf").astype(np.float32) >= 0.5)


def _as(kind: type[np.floating], flow: Flow) -> NDArray[np.floating]:
    with np.errstate(over="ignore"):
        stored = flow.astype(kind)
    # Values too large for float16 have become infinite.
    stored[is_unknown(flow) | ~np.isfinite(stored).all(axis=2)] = np.nan
    return stored


def _array(archive: zipfile.ZipFile, name: str, *, kinds: str) -> NDArray[np.generic]:
    """One array; checks its header first, so that a wrong file allocates no memory and runs no pickle."""
    with archive.open(f"{name}.npy") as member:
        shape, dtype = read_header(member)
    fits = all(0 < side <= MAX_SIDE for side in shape) and math.prod(shape[:2]) <= _MAX_PIXELS
    if dtype.kind not in kinds or not fits:
        raise ValueError(f"{name} is {dtype} {shape}")
    with archive.open(f"{name}.npy") as member:
        array: NDArray[np.generic] = np.lib.format.read_array(member, allow_pickle=False)
    return array


KIND = FlowFile(read, write, Naming("flow", ".npz"), save, options=("half",), contents=contents)
