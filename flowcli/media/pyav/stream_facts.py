"""Checked metadata of a video stream, which containers may state wrongly.

Streams are PyAV objects; `av` itself is not imported.
"""

from __future__ import annotations

import heapq
import re
from fractions import Fraction
from typing import TYPE_CHECKING

from flowcli.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import Any

DEFAULT_RATE = Fraction(25)
"""Frames per second of a stream that states no rate."""
MAX_PIXELS = 64_000_000
"""Pixels of the largest frame that is decoded."""
MAX_REORDERING = 16
"""The largest number of frames by which a decoder reorders."""

# Codecs whose packets may hold frames that are not shown.
_HIDDEN_FRAME_CODECS = frozenset({"vp8", "libvpx"})
# FFmpeg's AV_FIELD_UNKNOWN and AV_FIELD_PROGRESSIVE: otherwise, each field of a frame may have its own packet.
_PROGRESSIVE = (0, 1)


def check_size(path: Path, frame: Any) -> None:
    """Raises SourceError for frames of more than MAX_PIXELS; `frame` is any object with `width` and `height`."""
    if frame.width * frame.height > MAX_PIXELS:
        raise SourceError(
            f"{path} has frames of {frame.width} x {frame.height}, more than {MAX_PIXELS // 1_000_000} megapixels",
            hint="make the video smaller first",
        )


def fraction(rational: Any) -> Fraction | None:
    """A Fraction from PyAV's Fraction, AVRational or None; None where that is 0 or None."""
    if not rational:
        return None
    return Fraction(rational.numerator, rational.denominator)


def rate_of(stream: Any) -> Fraction:
    """The stream's average frames per second, or its guessed ones, or DEFAULT_RATE."""
    for candidate in (fraction(stream.average_rate), fraction(stream.guessed_rate)):
        # Streams without a rate give that of their time base, such as 90000.
        if candidate is not None and 0 < candidate <= 1000:
            return candidate
    return DEFAULT_RATE


def frame_count_of(stream: Any, container: Any, *, rate: Fraction) -> int | None:
    """The container's number of frames, else an estimate from its duration, else None."""
    if stream.frames > 0:
        return int(stream.frames)
    tick = fraction(stream.time_base)
    seconds = stream.duration * tick if stream.duration and tick else Fraction(container.duration or 0, 1_000_000)
    count = round(seconds * rate)
    # Raw streams state durations of 1e14 frames.
    return count if 0 < count < 100_000_000 else None


def presentation_times(packets: Iterable[Any], stream: Any, *, origin: Fraction) -> Iterator[Fraction]:
    """The time of each frame in display order, in seconds from `origin`, the first frame's timestamp in seconds.

    Read from the packets without decoding; ends early where they do not determine the times.
    """
    tick = fraction(stream.time_base)
    context = stream.codec_context
    if tick is None or context.name in _HIDDEN_FRAME_CODECS or context.field_order not in _PROGRESSIVE:
        return
    first = round(origin / tick)
    last_dts = last = None
    waiting: list[int] = []
    for packet in packets:
        if packet.size:
            if packet.pts is None or packet.is_corrupt or (last_dts is not None and packet.dts <= last_dts):
                return
            last_dts = packet.dts
            # Frames before the first displayed one cannot be decoded, or are discarded by the container.
            if packet.pts >= first and not packet.is_discard:
                heapq.heappush(waiting, packet.pts)
        while waiting and (len(waiting) > MAX_REORDERING or not packet.size):
            pts = heapq.heappop(waiting)
            if last is not None and pts <= last:
                return
            last = pts
            yield pts * tick - origin


def promised_end(stream: Any) -> Fraction | None:
    """The end of the last frame, in seconds of the stream's timestamps, where a Matroska muxer stored it, else None."""
    match = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if match is None:
        return None
    hours, minutes, seconds = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)


def packets_beyond_end(stream: Any, path: Path) -> int | None:
    """How many frames of the index reach beyond the end of the file; None where the index does not list every frame."""
    entries = stream.index_entries
    if stream.frames <= 0 or len(entries) < stream.frames:
        return None
    size = path.stat().st_size
    return sum(1 for entry in entries if entry.pos + entry.size > size)
