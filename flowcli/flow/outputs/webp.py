"""A small animated WebP of the flow.

Much smaller than a GIF.
"""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import TYPE_CHECKING

from flowcli.flow.colour import colour_flow
from flowcli.flow.kinds import Picture
from flowcli.flow.naming import Naming
from flowcli.media.pyav.animation import WebpWriter, shrunk
from flowcli.system.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from flowcli.flow.drawing import Style
    from flowcli.flow.estimate import Estimate
    from flowcli.flow.naming import Part


_ANIMATED = b"\x02\0\0\0"
_WHITE_ENDLESS = b"\xff\xff\xff\xff\0\0"
_SHOWN = slice(12, 15)
"""Where a frame has the milliseconds that it is shown."""
_USUAL = (40).to_bytes(3, "little")  # ms


def draw(estimate: Estimate, style: Style) -> NDArray[np.uint8]:
    """Draws the picture of `png`, reduced before the legend is added, which thus can be read."""
    coloured = colour_flow(estimate.shown(stabilise=style.stabilise), scale=style.scale)
    return style.finish(shrunk(coloured))


def join(parts: Sequence[Part], path: Path) -> None:
    """Concatenates WebPs of one size; the last picture of each is shown until the next begins."""
    size, frames = b"", list[bytes]()
    starts = [round(1000 * part.time) for part in parts]
    lengths = [after - before for before, after in pairwise(starts)]
    for part, length in zip(parts, [*lengths, None], strict=True):
        begun = len(frames)
        for kind, body in _chunks(part.path.read_bytes()):
            if kind == b"VP8X":
                size = body[4:10]
            elif kind == b"ANMF":
                frames.append(body)
            elif kind == b"VP8 ":  # a part of a single picture is not animated, and has no duration
                size = b"".join((side - 1).to_bytes(3, "little") for side in struct.unpack_from("<HH", body, 6))
                shown = frames[-1][_SHOWN] if frames else _USUAL
                frames.append(bytes(6) + size + shown + b"\x02" + _chunk(kind, body))
        if length is not None:
            others = sum(int.from_bytes(frame[_SHOWN], "little") for frame in frames[begun:-1])
            shown = min(max(length - others, WebpWriter.shortest), WebpWriter.longest).to_bytes(3, "little")
            frames[-1] = frames[-1][: _SHOWN.start] + shown + frames[-1][_SHOWN.stop :]
    content = [_chunk(b"VP8X", _ANIMATED + size), _chunk(b"ANIM", _WHITE_ENDLESS)]
    body = b"WEBP" + b"".join(content + [_chunk(b"ANMF", frame) for frame in frames])
    write_whole(path, _chunk(b"RIFF", body))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + len(body).to_bytes(4, "little") + body + bytes(len(body) % 2)


def _chunks(webp: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 12
    while place + 8 <= len(webp):
        kind, size = struct.unpack_from("<4sI", webp, place)
        yield kind, webp[place + 8 : place + 8 + size]
        place += 8 + size + size % 2


KIND = Picture(draw, Naming("flow", ".webp", video=".webp", pairs=False), join)
