"""STMaps for compositing, an EXR per pair: where each pixel goes, from 0 to 1, so that the map pulls the next frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.errors import SourceError
from flowcli.flow.colour import with_nan
from flowcli.flow.formats._reading import opened
from flowcli.flow.formats.exr import MAP, Y
from flowcli.flow.kinds import FlowFile
from flowcli.flow.naming import Naming
from flowcli.media.exr import encode
from flowcli.media.pyav import decode_exr, exr_headers
from flowcli.system.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from jaxtyping import Float
    from numpy.typing import NDArray

    Flow = Float[NDArray[np.float32], "height width 2"]

_KIND = "an STMap that flowcli wrote"


def write(path: Path, flow: Flow, *, y: str = "up") -> None:
    """Writes where each pixel's centre goes, in frame widths (red) and heights (green); NaN where flow is unknown.

    The centre of the first pixel is half a pixel from 0. Green counts from the lower border where `y` is `up`, as
    Nuke's STMap does, else from the upper one. Always float32: float16 has steps of a pixel in a frame of 2,000.
    """
    height, width = flow.shape[:2]
    known = with_nan(flow)
    x, y_down = centres(height, width)
    red = (known[..., 0] + x) / width
    green = (known[..., 1] + y_down) / height
    if y == "up":
        green = 1 - green
    channels = {"R": red.astype(np.float32), "G": green.astype(np.float32), "B": np.zeros((height, width), np.float32)}
    write_whole(path, encode(channels, texts={Y: y, MAP: "st"}))


def read(path: Path) -> Flow:
    """Reads the flow of a map; raises SourceError for other files."""
    with opened(path, kind=_KIND) as file:
        data = file.read()
    header = exr_headers(path, data)[0]
    if header.texts.get(MAP) != "st":
        raise SourceError(f"{path} is not {_KIND}", hint=f"give {_KIND}")
    flow = decode_exr(path, data, ("R", "G"))
    height, width = flow.shape[:2]
    x, y = centres(height, width)
    green = 1 - flow[..., 1].astype(np.float64) if header.texts.get(Y) == "up" else flow[..., 1]
    flow[..., 0] = flow[..., 0] * np.float64(width) - x
    flow[..., 1] = green * np.float64(height) - y
    return flow


def centres(height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The x (width,) and y (height, 1) of the centres of all pixels, from the upper left corner of the frame."""
    return np.arange(0.5, width), np.arange(0.5, height)[:, None]


KIND = FlowFile(read, write, Naming("stmap", ".exr"), options=("y",))
