"""Portable float map, a .pfm file per pair."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from flowcli.errors import SourceError
from flowcli.flow.colour import with_nan
from flowcli.flow.formats._reading import check_claim, opened
from flowcli.flow.kinds import FlowFile
from flowcli.flow.naming import Naming
from flowcli.system.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from jaxtyping import Float
    from numpy.typing import NDArray

_KIND = "a .pfm file of three channels"
# Sizes, then a scale whose sign is the byte order.
_HEADER = re.compile(rb"PF\s+(\d{1,6})\s+(\d{1,6})\s+([-+]?)(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s")


def write(path: Path, flow: Float[NDArray[np.float32], "height width 2"]) -> None:
    """Writes (x, y, 0) of every pixel as little-endian float32, the lowest row first, as in FlyingThings3D.

    NaN where flow is unknown.
    """
    height, width = flow.shape[:2]
    pixels = np.zeros((height, width, 3), "<f4")
    pixels[..., :2] = with_nan(flow)[::-1]
    write_whole(path, f"PF\n{width} {height}\n-1.0\n".encode() + pixels.tobytes())


def read(path: Path) -> Float[NDArray[np.float32], "height width 2"]:
    """Reads either byte order; ignores the third channel."""
    with opened(path, kind=_KIND) as file:
        header = _HEADER.match(file.read(100))
        if header is None:
            raise SourceError(f"{path} is not {_KIND}", hint=f"give {_KIND}")
        width, height = int(header[1]), int(header[2])
        check_claim(path, width=width, height=height, expected=header.end() + 12 * width * height)
        file.seek(header.end())
        pixels = np.frombuffer(file.read(), "<f4" if header[3] == b"-" else ">f4").reshape(height, width, 3)
    return np.ascontiguousarray(pixels[::-1, :, :2], np.float32)


KIND = FlowFile(read, write, Naming("flow", ".pfm"))
