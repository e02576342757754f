"""Flow in colour, as an animated GIF that repeats; webp is cleaner and much smaller."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcli.flow.colour import colour_flow
from flowcli.flow.kinds import Picture
from flowcli.flow.naming import Naming
from flowcli.media.pyav.animation import shrunk
from flowcli.system.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from flowcli.flow.drawing import Style
    from flowcli.flow.estimate import Estimate
    from flowcli.flow.naming import Part


_LOOP = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"
_END = b";"


def draw(estimate: Estimate, style: Style) -> NDArray[np.uint8]:
    """Draws the picture of `png`, reduced before the legend is added, which thus can be read."""
    coloured = colour_flow(estimate.shown(stabilise=style.stabilise), scale=style.scale)
    return style.finish(shrunk(coloured))


def join(parts: Sequence[Part], path: Path) -> None:
    """Concatenates GIFs of one size and palette."""
    head, first = _split(parts[0].path.read_bytes())
    write_whole(path, head + first + b"".join(_split(part.path.read_bytes())[1] for part in parts[1:]) + _END)


def _split(gif: bytes) -> tuple[bytes, bytes]:
    """The header of a GIF, and its pictures."""
    palette = 3 << (gif[10] & 7) + 1 if gif[10] & 0x80 else 0
    start = 13 + palette
    if gif.startswith(_LOOP, start):
        start += len(_LOOP)
    return gif[:start], gif[start:].removesuffix(_END)


KIND = Picture(draw, Naming("flow", ".gif", video=".gif", pairs=False), join)
