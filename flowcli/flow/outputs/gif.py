"""An animated GIF of the flow; webp is cleaner and much smaller."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from flowcli.flow.colour import colour_flow
from flowcli.flow.kinds import Picture
from flowcli.flow.naming import Naming
from flowcli.media.pyav.animation import GifWriter, shrunk
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
_DELAY = re.compile(rb"\x21\xf9\x04.(..).\0,", re.DOTALL)
"""What FFmpeg writes before a picture, whose delay it holds."""


def draw(estimate: Estimate, style: Style) -> NDArray[np.uint8]:
    """Draws the picture of `png`, reduced before the legend is added, which thus can be read."""
    coloured = colour_flow(estimate.shown(stabilise=style.stabilise), scale=style.scale)
    return style.finish(shrunk(coloured))


def join(parts: Sequence[Part], path: Path) -> None:
    """Concatenates GIFs of one size and palette; the last picture of each is shown until the next begins."""
    halves = [_split(part.path.read_bytes()) for part in parts]
    starts = [round(100 * part.time) for part in parts]
    lengths = [after - before for before, after in pairwise(starts)]
    shown = [_lasting(pictures, length) for (_, pictures), length in zip(halves, lengths, strict=False)]
    write_whole(path, halves[0][0] + b"".join(shown) + halves[-1][1] + _END)


def _lasting(pictures: bytes, length: int) -> bytes:
    """The pictures, the last of them shown so long that all take `length` hundredths of a second."""
    *others, last = _DELAY.finditer(pictures)
    delay = length - sum(int.from_bytes(each[1], "little") for each in others)
    shown = min(max(delay, GifWriter.shortest), GifWriter.longest)
    return pictures[: last.start(1)] + shown.to_bytes(2, "little") + pictures[last.end(1) :]


def _split(gif: bytes) -> tuple[bytes, bytes]:
    """The header of a GIF, and its pictures."""
    palette = 3 << (gif[10] & 7) + 1 if gif[10] & 0x80 else 0
    start = 13 + palette
    if gif.startswith(_LOOP, start):
        start += len(_LOOP)
    return gif[:start], gif[start:].removesuffix(_END)


KIND = Picture(draw, Naming("flow", ".gif", video=".gif", pairs=False), join)
