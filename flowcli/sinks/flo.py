"""Raw flow in the Middlebury format, a .flo file per pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.errors import SourceError, UsageError
from flowcli.partfile import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from jaxtyping import Float
    from numpy.typing import NDArray

_MAGIC = np.float32(202021.25).tobytes()
_MAX_SIDE = 65535


def write(path: Path, flow: Float[NDArray[np.float32], "height width 2"]) -> None:
    """Writes magic number, width, height, then (x, y) of every pixel as little-endian float32."""
    height, width = flow.shape[:2]
    header = _MAGIC + np.array([width, height], "<i4").tobytes()
    write_whole(path, header + np.ascontiguousarray(flow, "<f4").tobytes())


def read(path: Path) -> Float[NDArray[np.float32], "height width 2"]:
    """Reads what `write` and other tools write. A header is believed only if the file's size agrees with it."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            header = file.read(12)
            if len(header) < 12 or header[:4] != _MAGIC:
                raise SourceError(f"{path} is not a .flo file", hint="give a Middlebury .flo file")
            width, height = np.frombuffer(header, "<i4", offset=4).tolist()
            expected = 12 + 8 * width * height
            if not (0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE) or size != expected:
                raise SourceError(
                    f"{path} says {width} x {height}, which takes {expected} bytes, but has {size}",
                    hint="copy it again, or write it anew",
                )
            return np.frombuffer(file.read(), "<f4").astype(np.float32).reshape(height, width, 2)
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist", hint="check the path") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}", hint="give a Middlebury .flo file") from error
