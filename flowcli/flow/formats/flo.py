"""Middlebury's .flo, a file per pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.errors import SourceError
from flowcli.flow.formats._reading import check_claim, opened
from flowcli.flow.kinds import FlowFile
from flowcli.flow.naming import Naming
from flowcli.system.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from jaxtyping import Float
    from numpy.typing import NDArray

_MAGIC = np.float32(202021.25).tobytes()
_KIND = "a Middlebury .flo file"


def write(path: Path, flow: Float[NDArray[np.float32], "height width 2"]) -> None:
    """Writes magic number, width, height, then (x, y) of every pixel as little-endian float32."""
    height, width = flow.shape[:2]
    header = _MAGIC + np.array([width, height], "<i4").tobytes()
    write_whole(path, header + np.ascontiguousarray(flow, "<f4").tobytes())


def read(path: Path) -> Float[NDArray[np.float32], "height width 2"]:
    """Reads float32 (height, width, 2)."""
    with opened(path, kind=_KIND) as file:
        header = file.read(12)
        if len(header) < 12 or header[:4] != _MAGIC:
            raise SourceError(f"{path} is not a .flo file", hint=f"give {_KIND}")
        width, height = np.frombuffer(header, "<i4", offset=4).tolist()
        check_claim(path, width=width, height=height, expected=12 + 8 * width * height)
        return np.frombuffer(file.read(), "<f4").astype(np.float32).reshape(height, width, 2)


KIND = FlowFile(read, write, Naming("flow", ".flo"))
