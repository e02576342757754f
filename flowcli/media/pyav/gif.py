"""A sequence of pictures as an animated GIF with a palette computed from them."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
from av.filter import Graph

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

TICKS = 100
"""Units of time per second in a GIF."""
_TICK = Fraction(1, TICKS)


def encode_gif(images: Sequence[Image], *, seconds: float, hold: float = 0.0) -> bytes:
    """The bytes of a GIF that repeats (height, width, 3) RGB pictures of one size for ever.

    Each is shown for `seconds`, the last one `hold` seconds longer. All share one palette of 256 colours computed from
    them: FFmpeg's fixed palette shows bands.
    """
    delay = max(2, round(TICKS * seconds))
    file = io.BytesIO()
    options = {"loop": "0", "final_delay": str(delay + round(TICKS * hold))}
    with av.open(file, "w", format="gif", options=options) as container:
        stream: Any = container.add_stream("gif", rate=TICKS)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "pal8"
        stream.codec_context.time_base = _TICK
        for number, frame in enumerate(_quantised(images)):
            frame.pts, frame.time_base = number * delay, _TICK
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def _quantised(images: Sequence[Image]) -> Iterator[Any]:
    height, width = images[0].shape[:2]
    graph = Graph()
    source = graph.add_buffer(width=width, height=height, format=av.VideoFormat("rgb24"), time_base=_TICK)
    split, palette = graph.add("split"), graph.add("palettegen", "stats_mode=full")
    use, sink = graph.add("paletteuse", "dither=bayer:bayer_scale=3:diff_mode=rectangle"), graph.add("buffersink")
    source.link_to(split)
    split.link_to(use, 0, 0)
    split.link_to(palette, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    for number, image in enumerate(images):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame.pts, frame.time_base = number, _TICK
        source.push(frame)
    source.push(None)
    while True:
        try:
            yield sink.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
