"""Raw flow as OpenEXR, exact to the bit, a .exr file per pair: x is red, y is green."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.flow.colour import with_nan
from flowcli.flow.formats._reading import opened
from flowcli.flow.kinds import FlowFile
from flowcli.flow.naming import Naming
from flowcli.media.pyav import decode_exr, encode_exr
from flowcli.system.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from jaxtyping import Float
    from numpy.typing import NDArray


def write(path: Path, flow: Float[NDArray[np.float32], "height width 2"]) -> None:
    """Writes float32 channels R (right), G (down) and B (0), losslessly compressed; NaN where flow is unknown."""
    pixels = np.zeros((*flow.shape[:2], 3), np.float32)
    pixels[..., :2] = with_nan(flow)
    write_whole(path, encode_exr(pixels))


def read(path: Path) -> Float[NDArray[np.float32], "height width 2"]:
    """Reads channels R and G as float32 (height, width, 2)."""
    with opened(path, kind="an .exr file with channels R and G") as file:
        return np.ascontiguousarray(decode_exr(path, file.read())[..., :2])


KIND = FlowFile(read, write, Naming("flow", ".exr"))
