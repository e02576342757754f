"""What a container says of its video stream, read with the distrust it has earned.

Streams come as PyAV objects; `av` itself is not needed here.
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
"""Frames per second of a stream that does not say."""
MAX_PIXELS = 64_000_000
"""The largest frame that is decoded."""
MOST_REORDERED = 16
"""Frames by which decoders reorder at most."""

# Their packets may hold frames that are never shown.
_HIDING_CODECS = frozenset({"vp8", "libvpx"})
# Fields of interlaced frames may come in packets of their own. (FFmpeg's AV_FIELD_UNKNOWN and AV_FIELD_PROGRESSIVE.)
_PROGRESSIVE = (0, 1)


def check_size(path: Path, frame: Any) -> None:
    """Refuses frames that would fill the memory; `frame` is anything with `width` and `height`."""
    if frame.width * frame.height > MAX_PIXELS:
        raise SourceError(
            f"{path} has frames of {frame.width} x {frame.height}, more than {MAX_PIXELS // 1_000_000} megapixels",
            hint="make the video smaller first",
        )


def fraction(rational: Any) -> Fraction | None:
    """An exact number from what PyAV returns, which is a Fraction, an AVRational or None; None where it is empty."""
    if not rational:
        return None
    return Fraction(rational.numerator, rational.denominator)


def rate_of(stream: Any) -> Fraction:
    """Frames per second."""
    for candidate in (fraction(stream.average_rate), fraction(stream.guessed_rate)):
        # Streams without a rate answer with their time base, 90000 and the like.
        if candidate is not None and 0 < candidate <= 1000:
            return candidate
    return DEFAULT_RATE


def frame_count_of(stream: Any, container: Any, *, rate: Fraction) -> int | None:
    """About how many frames there are, or None."""
    if stream.frames > 0:
        return int(stream.frames)
    tick = fraction(stream.time_base)
    seconds = stream.duration * tick if stream.duration and tick else Fraction(container.duration or 0, 1_000_000)
    count = round(seconds * rate)
    # Raw streams claim durations of 1e14 frames.
    return count if 0 < count < 100_000_000 else None


def presentation_times(packets: Iterable[Any], stream: Any, *, origin: Fraction) -> Iterator[Fraction]:
    """When each frame is shown, in order, in seconds from `origin`, the first frame's own time.

    Read off the packets alone; ends early where they do not tell one frame from the next.
    """
    tick = fraction(stream.time_base)
    context = stream.codec_context
    if tick is None or context.name in _HIDING_CODECS or context.field_order not in _PROGRESSIVE:
        return
    first = round(origin / tick)
    last_dts = last = None
    waiting: list[int] = []
    for packet in packets:
        if packet.size:
            if packet.pts is None or packet.is_corrupt or (last_dts is not None and packet.dts <= last_dts):
                return
            last_dts = packet.dts
            # Frames before the first one that is shown cannot be decoded, or are cut away by the container.
            if packet.pts >= first and not packet.is_discard:
                heapq.heappush(waiting, packet.pts)
        while waiting and (len(waiting) > MOST_REORDERED or not packet.size):
            pts = heapq.heappop(waiting)
            if last is not None and pts <= last:
                return
            last = pts
            yield pts * tick - origin


def promised_end(stream: Any) -> Fraction | None:
    """When the last frame ends by the stream's own clock, where a Matroska muxer noted it; None elsewhere."""
    match = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if match is None:
        return None
    hours, minutes, seconds = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)


def packets_beyond_end(stream: Any, path: Path) -> int | None:
    """How many frames a cut file promises but does not hold; None where its index does not list every frame."""
    entries = stream.index_entries
    if stream.frames <= 0 or len(entries) < stream.frames:
        return None
    size = path.stat().st_size
    return sum(1 for entry in entries if entry.pos + entry.size > size)
