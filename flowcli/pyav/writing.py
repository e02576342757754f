"""Frames as videos."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter

from flowcli.partfile import PartFile, output_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray


class VideoWriter:
    """An H.264 file that every browser plays, with exact times; it has its name only once it is closed.

    Odd sizes are padded by repeating the last row or column, because 4:2:0 colour needs even ones. What is written so
    far can be played even after the process is killed.
    """

    def __init__(self, path: Path, *, rate: Fraction, tick: Fraction) -> None:
        self._part = PartFile(path)
        self._rate = rate
        self._tick = tick
        self._last_pts = -1
        self._reformatter = VideoReformatter()
        self._container: Any = None
        self._stream: Any = None

    def write(self, image: NDArray[np.uint8], *, time: Fraction) -> None:
        """Appends an RGB image that is shown from `time` on."""
        height, width = image.shape[:2]
        if height % 2 or width % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        with self._translated():
            if self._container is None:
                self._open(width + width % 2, height + height % 2)
            frame = self._reformatter.reformat(
                av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24"),
                format="yuv420p",
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
            )
            self._last_pts = max(self._last_pts + 1, round(time / self._tick))
            frame.pts, frame.time_base = self._last_pts, self._tick
            self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Completes the file under its name. A video without a frame is not left behind."""
        if self._finish():
            self._part.commit()

    def finish_partial(self) -> Path | None:
        """Completes what there is as `NAME.partial.mp4` and returns that path, or None where there is no frame."""
        return self._part.commit_partial() if self._finish() else None

    def abort(self) -> None:
        """Removes what was written."""
        with contextlib.suppress(av.FFmpegError, OSError):
            self._close_container()
        self._part.discard()

    def _open(self, width: int, height: int) -> None:
        options = {"movflags": "+hybrid_fragmented", "flush_packets": "1"}
        self._container = av.open(os.path.abspath(self._part.path), "w", format="mp4", options=options)  # noqa: PTH100 - see _open
        second = max(1, min(250, round(self._rate)))
        stream: Any = self._container.add_stream(
            # Without B-frames, packets of videos that are joined follow one another in time.
            "libx264",
            rate=self._rate,
            options={"preset": "veryfast", "crf": "18", "g": str(second), "bf": "0"},
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.time_base = self._tick
        context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
        context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        self._stream = stream

    def _finish(self) -> bool:
        if self._container is None:
            self._part.discard()
            return False
        with self._translated():
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
