"""Two grey JPEGs per pair, x and y, up to --bound px.

The input of two-stream networks (arXiv 1406.2199).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.errors import SourceError
from flowcli.flow.colour import is_unknown
from flowcli.flow.formats._reading import opened
from flowcli.flow.kinds import FlowFile
from flowcli.flow.naming import Naming
from flowcli.system.files import write_whole
from flowcli.system.opencv import cv2, decode

if TYPE_CHECKING:
    from pathlib import Path

    from jaxtyping import Float
    from numpy.typing import NDArray

QUALITY = 95


def write(path: Path, flow: Float[NDArray[np.float32], "height width 2"], *, bound: float) -> None:
    """Writes `NAME_x.jpg`, which is `path`, and `NAME_y.jpg`: -bound px is black, 0 grey, +bound white.

    Or PNGs, where `path` is one. Faster motion is clipped; unknown flow is written as no motion.
    """
    known = np.clip(np.where(is_unknown(flow)[..., None], 0, flow), -bound, bound)
    planes = np.rint((known + bound) * np.float32(255 / (2 * bound))).astype(np.uint8)
    for number, name in enumerate((path, sibling(path))):
        plane = np.ascontiguousarray(planes[..., number])
        _, data = cv2.imencode(path.suffix, plane, [cv2.IMWRITE_JPEG_QUALITY, QUALITY] if path.suffix == ".jpg" else [])
        write_whole(name, data.data)


def read(path: Path, *, bound: float) -> Float[NDArray[np.float32], "height width 2"]:
    """Reads `path`, which is `NAME_x.jpg` or `NAME_x.png`, and the plane of y beside it."""
    x, y = (grey(name) for name in (path, sibling(path)))
    if x.shape != y.shape:
        raise SourceError(f"{path} and {sibling(path).name} differ in size", hint="give two planes of one flow")
    return np.stack((x, y), axis=-1).astype(np.float32) * np.float32(2 * bound / 255) - np.float32(bound)


def grey(path: Path) -> NDArray[np.uint8]:
    """One plane, from 0 to 255."""
    with opened(path, kind="a grey picture, NAME_x or NAME_y") as file:
        return np.asarray(decode(path, file.read(), cv2.IMREAD_GRAYSCALE), np.uint8)


def sibling(path: Path) -> Path:
    """The path of the y plane for that of the x plane."""
    return path.with_name(f"{path.stem.removesuffix('_x')}_y{path.suffix}")


KIND = FlowFile(read, write, Naming("flow", ".jpg", tag="_x", siblings=("_y",)), options=("bound",))
