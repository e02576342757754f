"""GIF and animated WebP for web pages, encoded picture by picture in constant memory."""

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
"""The longest side of an animation, in pixels: larger ones take megabytes per second."""


class AnimationWriter(ContainerWriter):
    """A small video that repeats for ever; a picture less than `shortest` ticks after the previous one is left out.

    A picture is shown for at most `longest` ticks, the format's limit; later pictures move forward in time.
    """

    shortest = 1
    longest: int
    _dropped_ticks = 0

    def write(self, image: NDArray[np.uint8], *, time: Fraction) -> None:
        """Appends a (height, width, 3) RGB image that is shown from `time`, in seconds, on."""
        pts = round(time / self._tick) - self._dropped_ticks
        if self._last_pts is not None:
            if pts < self._last_pts + self.shortest:
                return
            excess = max(0, pts - self._last_pts - self.longest)
            self._dropped_ticks += excess
            pts -= excess
        self._last_pts = pts
        image = shrunk(image)
        with self._translated():
            if self._container is None:
                self._open(image.shape[1], image.shape[0])
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = pts, self._tick
            self._encode(frame)

    @abstractmethod
    def _open(self, width: int, height: int) -> None:
        """Opens the container and its stream for pictures of this size."""

    @abstractmethod
    def _encode(self, frame: Any) -> None:
        """Encodes and writes an RGB frame."""

    def _add_stream(self, encoder: str, width: int, height: int, *, pixels: str, options: dict[str, str]) -> None:
        stream: Any = self._container.add_stream(encoder, rate=1 / self._tick, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        stream.codec_context.time_base = self._tick
        self._stream = stream


class WebpWriter(AnimationWriter):
    """An animated WebP."""

    longest = 2**24 - 1

    def __init__(self, path: Path) -> None:
        super().__init__(path, tick=Fraction(1, 1000))
        self._reformatter = VideoReformatter()

    def _open(self, width: int, height: int) -> None:
        self._create({"format": "webp", "loop": "0"})
        self._add_stream("libwebp_anim", width, height, pixels="yuv420p", options={"quality": "80"})

    def _encode(self, frame: Any) -> None:
        self._container.mux(self._stream.encode(self._reformatter.reformat(frame, format="yuv420p")))


class GifWriter(AnimationWriter):
    """An animated GIF whose palette of 256 colours is computed once, from the image `colours`, and so does not flicker.

    It shows at most 50 pictures per second: browsers slow down faster ones.
    """

    shortest = 2
    longest = 2**16 - 1

    def __init__(self, path: Path, *, rate: Fraction, colours: NDArray[np.uint8]) -> None:
        super().__init__(path, tick=Fraction(1, 100))
        self._delay = min(max(self.shortest, round(100 / rate)), self.longest)
        self._colours = colours
        self._quantiser: Any = None

    def _open(self, width: int, height: int) -> None:
        self._create({"format": "gif", "loop": "0", "final_delay": str(self._delay)})
        self._add_stream("gif", width, height, pixels="pal8", options={})
        self._quantiser = _quantiser(width, height, palette_of(self._colours))

    def _encode(self, frame: Any) -> None:
        self._quantiser.push(frame, at=0)
        for quantised in _pulled(self._quantiser):
            self._container.mux(self._stream.encode(quantised))

    def _flush(self) -> None:
        self._encode(None)


def palette_of(image: NDArray[np.uint8]) -> Any:
    """A palette of 256 colours for an image, black and white among them, as a frame of 16 x 16."""
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
    palette = np.asarray(graph.pull().to_ndarray(), np.uint8)  # (16, 16, 4) in BGRA order
    for pure in (0, 255):
        distance = np.abs(palette[..., :3].astype(int) - pure).sum(axis=2)
        palette[np.unravel_index(np.argmin(distance), distance.shape)] = (pure, pure, pure, 255)
    return av.VideoFrame.from_ndarray(palette, format="bgra")


def _quantiser(width: int, height: int, palette: Any) -> Graph:
    """A filter graph from RGB frames to frames of the palette's colours."""
    graph = Graph()
    pictures = _source(graph, width, height, "rgb24")
    colours = _source(graph, palette.width, palette.height, palette.format.name)
    # Dithering dots the even colours of flow, which also takes a third more bytes: its PSNR is no better.
    use, sink = graph.add("paletteuse", "dither=none"), graph.add("buffersink")
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


def shrunk(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image, reduced to the size of an animation if it is larger."""
    height, width = image.shape[:2]
    factor = MAX_SIDE / max(height, width)
    if factor >= 1:
        return image
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
