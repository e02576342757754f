"""Videos put one after another without touching a picture."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av

from flowcli.partfile import output_error
from flowcli.stream_facts import fraction

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def join_videos(parts: Sequence[tuple[Path, Fraction]], path: Path) -> None:
    """Copies the packets of videos that one encoder's settings made, in order, into one file at `path`.

    Each part comes with the time of its first frame, which it does not hold itself.
    """
    try:
        with av.open(str(path.absolute()), "w", options={"movflags": "+faststart"}) as joined:
            copied = None
            for part, time in parts:
                with av.open(str(part.absolute())) as container:
                    stream = container.streams.video[0]
                    copied = copied or joined.add_stream_from_template(stream)
                    tick = fraction(stream.time_base) or Fraction(1)
                    shift = round(time / tick) - (stream.start_time or 0)
                    for packet in container.demux(stream):
                        if packet.pts is not None and packet.dts is not None:
                            packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, copied
                            joined.mux(packet)
    except av.FFmpegError as error:
        raise output_error(path, error if isinstance(error, OSError) else OSError(None, str(error))) from error
