"""The audio of a video file, copied without being decoded."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.format import Flags

from flowcli.errors import UsageError
from flowcli.media.pyav.clock import LONGEST_STEP, Clock
from flowcli.media.pyav.matroska import is_joined
from flowcli.media.pyav.opening import open_container, video_stream
from flowcli.media.pyav.stream_facts import fraction, rate_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any, Self

    from flowcli.media.frames import Audio

FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}


def has_audio(audio: Audio, extension: str) -> bool:
    """Whether the file has audio; raises UsageError where files with `extension` cannot hold it."""
    with av.open(str(audio.path.absolute())) as container:
        stream = _stream_of(container)
        if stream is None:
            return False
        with av.open(io.BytesIO(), "w", format=FORMATS[extension]) as trial:
            try:
                trial.add_stream_from_template(stream, opaque=True)
            except ValueError as error:
                raise UsageError(
                    f"the audio of {audio.path} is {stream.codec_context.name}, which {extension} files cannot hold",
                    hint="leave --audio out, or use another --codec, or -o NAME.mkv",
                ) from error
    return True


class AudioTrack:
    """Copies audio into a video, packet by packet, as its frames are written."""

    def __init__(self, audio: Audio, video: Any) -> None:
        self._container = av.open(str(audio.path.absolute()))
        self._video = video
        source: Any = _stream_of(self._container)
        self._copied = video.add_stream_from_template(source, opaque=True)
        self._tick = fraction(source.time_base) or Fraction(1)
        self._shifts = _shifts_of(audio.path)
        self._shift = round(audio.start / self._tick)
        self._packets = self._shifted(source)
        self._next: Any = next(self._packets, None)

    def write_until(self, time: Fraction) -> None:
        """Copies the packets that begin before `time`, in seconds from the video's start."""
        while self._next is not None and self._next.pts * self._tick < time:
            self._next.stream = self._copied
            self._video.mux(self._next)
            self._next = next(self._packets, None)

    def _shifted(self, source: Any) -> Iterator[Any]:
        """Packets from the video's start on, with timestamps that count from it and go up."""
        last, stretch, end = None, 0, -1
        for packet in self._container.demux(source):
            if packet.pts is None:
                continue
            if last is not None and not 0 <= (packet.pts - last) * self._tick <= LONGEST_STEP:
                stretch += len(self._shifts) > 1
            last = packet.pts
            if stretch == len(self._shifts):
                return
            packet.pts += round(self._shifts[stretch] / self._tick) - self._shift
            packet.dts = packet.pts
            # The audio of a stretch may be longer than its frames.
            if packet.pts > end:
                end = packet.pts
                yield packet

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()


def _shifts_of(path: Path) -> list[Fraction]:
    """The seconds that are added to timestamps in each stretch of a file, at whose start the frames' clock jumps."""
    shifts = [Fraction(0)]
    with open_container(path, None) as container:
        if not (container.format.flags & Flags.ts_discont.value or is_joined(path)):
            return shifts
        stream = video_stream(container, path)
        clock = Clock(rate=rate_of(stream), tick=fraction(stream.time_base) or Fraction(1), jumps=True)
        for packet in container.demux(stream):
            if packet.dts is not None:
                clock.stamp(packet.dts)
                if len(clock.restarts) == len(shifts):
                    shifts.append(clock.shift)
    return shifts


def _stream_of(container: Any) -> Any:
    return next((stream for stream in container.streams.audio if stream.codec_context is not None), None)
