"""Encoding of pictures as videos."""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter

from flowcli.errors import OutputError
from flowcli.media.encoding import DEFAULT
from flowcli.media.pyav.joining import INDEXED, join_videos
from flowcli.system.files import PartFile, output_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    from flowcli.media.encoding import Encoding


# The only way to keep SVT-AV1 from printing its settings to stderr.
os.environ.setdefault("SVT_LOG", "-1")

_CONTAINERS = {
    ".mp4": {"format": "mp4", "movflags": "+hybrid_fragmented"},
    ".mov": {"format": "mov", "movflags": "+hybrid_fragmented"},
    ".mkv": {"format": "matroska", "cluster_time_limit": "1000"},
    ".webm": {"format": "webm", "cluster_time_limit": "1000"},
}


class ContainerWriter(ABC):
    """A video file that gets its name only once it is closed. Every method raises OutputError where writing fails."""

    def __init__(self, path: Path, *, tick: Fraction) -> None:
        self._part = PartFile(path)
        self._tick = tick
        self._last_pts: int | None = None
        self._container: Any = None
        self._stream: Any = None

    @abstractmethod
    def write(self, image: NDArray[np.uint8], *, time: Fraction) -> None:
        """Appends a (height, width, 3) uint8 RGB image that is shown from `time`, in seconds, on."""

    def close(self) -> None:
        """Completes the file under its name, or removes it where nothing was written."""
        if self._finish():
            self._part.commit()

    def finish_partial(self) -> Path | None:
        """Completes the file as `NAME.partial.EXT` and returns that path, or None where nothing was written."""
        return self._part.commit_partial() if self._finish() else None

    def abort(self) -> None:
        """Removes the file."""
        with contextlib.suppress(av.FFmpegError, OSError):
            self._close_container()
        self._part.discard()

    def _create(self, options: dict[str, str]) -> None:
        # As an absolute path, `http:x.mp4` is a file.
        path = os.path.abspath(self._part.path)  # noqa: PTH100 - Path.absolute would keep `..`
        self._container = av.open(path, "w", format=options.pop("format"), options=options)

    def _flush(self) -> None:  # noqa: B027 - most have nothing to flush
        """Encodes frames that are still buffered."""

    def _finish(self) -> bool:
        if self._container is None:
            self._part.discard()
            return False
        with self._translated():
            self._flush()
            self._container.mux(self._stream.encode(None))
            self._close_container()
        return True

    def _close_container(self) -> None:
        container, self._container = self._container, None
        if container is not None:
            container.close()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (av.FFmpegError, OSError) as error:
            self.abort()
            cause = error if isinstance(error, OSError) else OSError(None, str(error))
            raise output_error(self._part.final, cause) from error


class VideoWriter(ContainerWriter):
    """A video with exact times, by default H.264 that every browser plays.

    Odd sizes are padded by repeating the last row or column where the pixel format subsamples chroma. An incomplete
    file can be played even after the process is killed. A complete MP4 or MOV has its index in front, so that it plays
    while it loads, unless it is a `part`, to be joined. Matroska and WebM round times to milliseconds.
    """

    def __init__(
        self,
        path: Path,
        *,
        rate: Fraction,
        tick: Fraction,
        encoding: Encoding = DEFAULT,
        pixel_aspect: Fraction = Fraction(1),
        part: bool = False,
    ) -> None:
        super().__init__(path, tick=tick)
        self._index_in_front = path.suffix.lower() in INDEXED and not part
        self._first_pts = 0
        self._rate = rate
        self._pixel_aspect = pixel_aspect
        self._encoding = encoding
        self._reformatter = VideoReformatter()

    def write(self, image: NDArray[np.uint8], *, time: Fraction) -> None:
        """Appends a (height, width, 3) uint8 RGB image that is shown from `time`, in seconds, on."""
        height, width = image.shape[:2]
        pixels = self._encoding.format
        right, below = width % 2 * ("42" in pixels), height % 2 * ("420" in pixels)
        if right or below:
            image = np.pad(image, ((0, below), (0, right), (0, 0)), mode="edge")
        with self._translated():
            if self._container is None:
                self._open(width + right, height + below)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            if "yuv" in pixels:
                matrix = {"dst_colorspace": Colorspace.ITU709, "dst_color_range": ColorRange.MPEG}
                frame = self._reformatter.reformat(frame, format=pixels, **matrix)
            else:
                frame = self._reformatter.reformat(frame, format=pixels)
            earliest = 0 if self._last_pts is None else self._last_pts + 1
            self._first_pts = self._first_pts if earliest else max(0, round(time / self._tick))
            self._last_pts = max(earliest, round(time / self._tick))
            frame.pts, frame.time_base = self._last_pts, self._tick
            self._container.mux(self._stream.encode(frame))

    def _finish(self) -> bool:
        if not super()._finish():
            return False
        if self._index_in_front:
            front = PartFile(self._part.path)
            try:
                join_videos([(self._part.path, self._first_pts * self._tick)], front.path)
                front.commit()
            except BaseException:
                front.discard()
                self._part.discard()
                raise
        return True

    def _open(self, width: int, height: int) -> None:
        encoding = self._encoding
        self._create({**_CONTAINERS[self._part.path.suffix.lower()], "flush_packets": "1"})
        second = max(1, min(250, round(self._rate)))
        stream: Any = self._container.add_stream(
            encoding.encoder, rate=self._rate, options={**encoding.options, "g": str(second)}
        )
        stream.width, stream.height, stream.pix_fmt = width, height, encoding.format
        context = stream.codec_context
        context.time_base = self._tick
        context.sample_aspect_ratio = self._pixel_aspect
        if "yuv" in encoding.format:
            context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
            context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        if encoding.codec == "h265" and self._part.path.suffix.lower() != ".mkv":
            context.codec_tag = "hvc1"  # Apple's players need it
        try:
            context.open()
        except av.FFmpegError as error:
            raise OutputError(
                f"{encoding.codec} cannot encode pictures of {width} x {height}", hint="use another --codec"
            ) from error
        self._stream = stream
