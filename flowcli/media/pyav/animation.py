"""Short loops for web pages, GIF and animated WebP, made picture by picture in constant memory."""

from __future__ import annotations

from abc import abstractmethod
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
from av.filter import Graph
from av.video.reformatter import VideoReformatter

from flowcli.media.pyav.writing import ContainerWriter
from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

MAX_SIDE = 480
"""The longer side of a loop at most, in pixels: larger ones take megabytes a second."""


class LoopWriter(ContainerWriter):
    """A small video that repeats for ever; pictures that follow within `_shortest` ticks of another are left out.

    None is shown for more than `_longest`, the most that the format can hold.
    """

    _shortest = 1
    _longest: int
    _left_out = 0

    def write(self, image: NDArray[np.uint8], *, time: Fraction) -> None:
        """Appends an RGB image that is shown from `time` on."""
        pts = round(time / self._tick) - self._left_out
        if self._last_pts is not None:
            if pts < self._last_pts + self._shortest:
                return
            beyond = max(0, pts - self._last_pts - self._longest)
            self._left_out += beyond
            pts -= beyond
        self._last_pts = pts
        image = _fitted(image)
        with self._translated():
            if self._container is None:
                self._open(image.shape[1], image.shape[0])
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = pts, self._tick
            self._encode(frame)

    @abstractmethod
    def _open(self, width: int, height: int) -> None:
        """Begins the file."""

    @abstractmethod
    def _encode(self, frame: Any) -> None:
        """Writes a frame of RGB."""

    def _add_stream(self, encoder: str, width: int, height: int, *, pixels: str, options: dict[str, str]) -> None:
        stream: Any = self._container.add_stream(encoder, rate=1 / self._tick, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        stream.codec_context.time_base = self._tick
        self._stream = stream


class WebpWriter(LoopWriter):
    """An animated WebP."""

    _longest = 2**24 - 1

    def __init__(self, path: Path) -> None:
        super().__init__(path, tick=Fraction(1, 1000))
        self._reformatter = VideoReformatter()

    def _open(self, width: int, height: int) -> None:
        self._create({"format": "webp", "loop": "0"})
        self._add_stream("libwebp_anim", width, height, pixels="yuv420p", options={"quality": "80"})

    def _encode(self, frame: Any) -> None:
        self._container.mux(self._stream.encode(self._reformatter.reformat(frame, format="yuv420p")))


class GifWriter(LoopWriter):
    """An animated GIF in 256 colours, those that suit the image `colours`: settled beforehand, they do not flicker.

    It shows at most 50 pictures a second, for browsers slow down what is faster.
    """

    _shortest = 2
    _longest = 2**16 - 1

    def __init__(self, path: Path, *, rate: Fraction, colours: NDArray[np.uint8]) -> None:
        super().__init__(path, tick=Fraction(1, 100))
        self._delay = min(max(self._shortest, round(100 / rate)), self._longest)
        self._colours = colours
        self._reducer: Any = None

    def _open(self, width: int, height: int) -> None:
        self._create({"format": "gif", "loop": "0", "final_delay": str(self._delay)})
        self._add_stream("gif", width, height, pixels="pal8", options={})
        self._reducer = _reducer(width, height, palette_of(self._colours))

    def _encode(self, frame: Any) -> None:
        self._reducer.push(frame, at=0)
        for reduced in _pulled(self._reducer):
            self._container.mux(self._stream.encode(reduced))

    def _flush(self) -> None:
        self._encode(None)


def palette_of(image: NDArray[np.uint8]) -> Any:
    """The 256 colours that suit an image best, black and white among them, as a frame."""
    graph = Graph()
    source = _source(graph, image.shape[1], image.shape[0], "rgb24")
    choice, sink = graph.add("palettegen", "reserve_transparent=1"), graph.add("buffersink")
    source.link_to(choice)
    choice.link_to(sink)
    graph.configure()
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    frame.pts, frame.time_base = 0, Fraction(1, 100)
    graph.push(frame)
    graph.push(None)
    palette = np.asarray(graph.pull().to_ndarray(), np.uint8)  # (16, 16, 4), blue first
    for pure in (0, 255):
        distance = np.abs(palette[..., :3].astype(int) - pure).sum(axis=2)
        palette[np.unravel_index(np.argmin(distance), distance.shape)] = (pure, pure, pure, 255)
    return av.VideoFrame.from_ndarray(palette, format="bgra")


def _reducer(width: int, height: int, palette: Any) -> Graph:
    """A graph from frames of RGB to frames of the palette's colours."""
    graph = Graph()
    pictures = _source(graph, width, height, "rgb24")
    colours = _source(graph, palette.width, palette.height, palette.format.name)
    # A finer pattern would speckle plain white.
    use, sink = graph.add("paletteuse", "dither=bayer:bayer_scale=4"), graph.add("buffersink")
    pictures.link_to(use, 0, 0)
    colours.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    palette.pts, palette.time_base = 0, Fraction(1, 100)
    graph.push(palette, at=1)
    graph.push(None, at=1)
    return graph


def _source(graph: Graph, width: int, height: int, pixels: str) -> Any:
    return graph.add_buffer(width=width, height=height, format=av.VideoFormat(pixels), time_base=Fraction(1, 100))


def _pulled(graph: Graph) -> Iterator[Any]:
    while True:
        try:
            yield graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


def _fitted(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    factor = MAX_SIDE / max(height, width)
    if factor >= 1:
        return image
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
