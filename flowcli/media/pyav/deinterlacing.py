"""Deinterlacing with FFmpeg's bwdif filter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any


def deinterlaced(frames: Iterable[Any], stream: Any) -> Iterator[Any]:
    """As many frames as before, each deinterlaced to the moment of its first field.

    Frames marked as progressive are unchanged.
    """
    graph: Any = None
    size = None
    for frame in frames:
        if (frame.width, frame.height, frame.format.name) != size:
            if graph is not None:
                yield from _rest(graph, stream)
            size = (frame.width, frame.height, frame.format.name)
            graph = _graph(frame, stream)
        graph.push(frame)
        yield from _ready(graph, stream)
    if graph is not None:
        yield from _rest(graph, stream)


def _graph(frame: Any, stream: Any) -> Any:
    graph: Any = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format.name, time_base=stream.time_base
    )
    bwdif = graph.add("bwdif", "mode=send_frame:parity=auto:deint=interlaced")
    sink = graph.add("buffersink")
    source.link_to(bwdif)
    bwdif.link_to(sink)
    graph.configure()
    return graph


def _rest(graph: Any, stream: Any) -> Iterator[Any]:
    graph.push(None)
    yield from _ready(graph, stream)


def _ready(graph: Any, stream: Any) -> Iterator[Any]:
    while True:
        try:
            frame = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        if frame.pts is not None:
            # The filter halves the time base.
            frame.pts, frame.time_base = round(frame.pts * frame.time_base / stream.time_base), stream.time_base
        yield frame
