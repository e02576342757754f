"""KITTI's 16-bit PNG per pair: steps of 1/64 px, with a mask.

At most 512 px.
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


_STEPS = 64  # per pixel
_ZERO = 1 << 15
_KIND = "a 16-bit PNG in KITTI's flow format"


def write(path: Path, flow: Float[NDArray[np.float32], "height width 2"]) -> None:
    """Writes round(64 x + 32768), round(64 y + 32768) and 1 as red, green and blue.

    Blue is 0, which means not valid, where flow is unknown (then all are 0) or was clamped to 16 bits.
    """
    unknown = is_unknown(flow)
    steps = np.rint(np.where(unknown[..., None], 0, flow).astype(np.float64) * _STEPS) + _ZERO
    fits = ((steps >= 0) & (steps <= 65535)).all(axis=2) & ~unknown
    image = np.dstack([np.clip(steps, 0, 65535), fits]).astype(np.uint16)
    image[unknown] = 0
    _, data = cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]))
    write_whole(path, data.data)


def read(path: Path) -> Float[NDArray[np.float32], "height width 2"]:
    """Reads files of `write` and of KITTI's tools; NaN where flow is not valid."""
    with opened(path, kind=_KIND) as file:
        image = decode(path, file.read(), cv2.IMREAD_UNCHANGED)
    if image.dtype != np.uint16 or image.shape[2:] != (3,):
        raise SourceError(f"{path} is not {_KIND}", hint=f"give {_KIND}")
    flow = (image[..., :0:-1].astype(np.float32) - _ZERO) / _STEPS
    flow[image[..., 0] == 0] = np.nan
    return np.asarray(flow, np.float32)


KIND = FlowFile(read, write, Naming("flow", ".png", tag="_kitti"))
