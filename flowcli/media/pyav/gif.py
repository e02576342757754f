"""Pictures as an animated GIF, with colours chosen for them."""

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
"""GIF counts time in hundredths of a second."""
_TICK = Fraction(1, TICKS)


def encode_gif(images: Sequence[Image], *, seconds: float, hold: float = 0.0) -> bytes:
    """RGB pictures of one size as a GIF that repeats for ever.

    Each is shown for `seconds`, the last one `hold` longer. All share the 256 colours that suit them best: FFmpeg's
    own choice of colours, the same for every picture, shows bands.
    """
    delay = max(2, round(TICKS * seconds))
    file = io.BytesIO()
    options = {"loop": "0", "final_delay": str(delay + round(TICKS * hold))}
    with av.open(file, "w", format="gif", options=options) as container:
        stream: Any = container.add_stream("gif", rate=TICKS)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "pal8"
        stream.codec_context.time_base = _TICK
        for number, frame in enumerate(_in_few_colours(images)):
            frame.pts, frame.time_base = number * delay, _TICK
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def _in_few_colours(images: Sequence[Image]) -> Iterator[Any]:
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
