"""Checked metadata of a video stream, which containers may state wrongly.

Streams are PyAV objects; `av` itself is not imported.
"""

from __future__ import annotations

import heapq
import re
from fractions import Fraction
from typing import TYPE_CHECKING

from flowcli.errors import SourceError
from flowcli.media.pyav.clock import LONGEST_STEP
from flowcli.media.selection import MAX_RATE

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
# Codecs whose presentation times FFmpeg has to guess where a container stores none.
_REORDERING_CODECS = frozenset({"h264", "hevc", "vvc"})
# Frames per second above which a stream is that of a high-speed camera, or states no rate.
_ORDINARY_RATE = 1000
# Formats whose time base is one frame of the stated rate.
_FIXED_RATE_FORMATS = frozenset({"avi", "yuv4mpegpipe"})
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
    average, guessed = fraction(stream.average_rate), fraction(stream.guessed_rate)
    for candidate in (average, guessed):
        if candidate is not None and 0 < candidate <= _ORDINARY_RATE:
            return candidate
    # Streams without a rate give that of their time base, such as 90000.
    if average is not None and _ORDINARY_RATE < average <= MAX_RATE:
        of_ticks = average * (fraction(stream.time_base) or 0) == 1
        return average if not of_ticks or stream.container.format.name in _FIXED_RATE_FORMATS else DEFAULT_RATE
    return DEFAULT_RATE


def has_guessed_times(stream: Any, container: Any) -> bool:
    """Whether the container stores no presentation times, so that those of reordered frames are guesses.

    The frames are shown at the times that the container gives to the packets, in order.
    """
    return container.format.name == "avi" and stream.codec_context.name in _REORDERING_CODECS


def is_empty(packet: Any) -> bool:
    """Whether a packet has no bytes, which means the frame before it again; the end of a stream is none."""
    return not packet.size and (packet.pts is not None or packet.dts is not None or bool(packet.buffer_ptr))


def is_shown(packet: Any) -> bool:
    """Whether a packet holds a frame that the container shows; an edit list may hide it."""
    return bool(packet.size or is_empty(packet)) and not packet.is_discard


def announced_frames(stream: Any, container: Any) -> int:
    """The number of frames that an open container states; 0 where it states none.

    An index counts those of a trimmed MP4 that its edit list shows, and of an AVI those that are stored: empty entries
    mean the frame before again.
    """
    frames, kind, entries = int(stream.frames), container.format.name, stream.index_entries
    if frames <= 0:
        return 0
    if kind == "ivf":  # it states ticks
        return round(frames * (fraction(stream.time_base) or 0) * rate_of(stream))
    # A cut AVI has no index.
    if len(entries) >= frames or (kind == "avi" and len(entries) > 1) or _reaches_end(entries, stream):
        return sum(not entry.is_discard for entry in entries)
    return frames


def _reaches_end(entries: Any, stream: Any) -> bool:
    """Whether the index, of fewer entries than the stream has frames, reaches to the end of the stream."""
    if not stream.duration or len(entries) < 2:
        return False
    length = entries[-1].timestamp - entries[0].timestamp
    return bool(length + 2 * Fraction(length, len(entries) - 1) >= stream.duration)


def estimated_frames(stream: Any, container: Any, size: int, rate: Fraction) -> int | None:
    """The number of frames by the duration that a container of `size` bytes states, else None."""
    tick = fraction(stream.time_base)
    seconds = stream.duration * tick if stream.duration and tick else Fraction(container.duration or 0, 1_000_000)
    count = round(seconds * rate)
    if container.format.name == "mpegts" and size:
        # The clock may jump by hours, and a frame takes a packet of 188 bytes at least.
        count = min(count, size // 188)
    # Raw streams state durations of 1e14 frames.
    return count if 0 < count < 100_000_000 else None


def presentation_times(
    packets: Iterable[Any], stream: Any, *, origin: Fraction, jumps: bool = False
) -> Iterator[Fraction]:
    """The time of each frame in display order, in seconds from `origin`, the first frame's timestamp in seconds.

    Read from the packets without decoding; ends early where they do not determine the times, or where a clock that
    `jumps` does so.
    """
    tick = fraction(stream.time_base)
    context = stream.codec_context
    if tick is None or context.name in _HIDDEN_FRAME_CODECS or context.field_order not in _PROGRESSIVE:
        return
    first = round(origin / tick)
    longest = LONGEST_STEP / tick if jumps else None
    last_dts = last = None
    waiting: list[int] = []
    for packet in packets:
        ended = not packet.size and not is_empty(packet)
        if not ended:
            if packet.pts is None or packet.is_corrupt or (last_dts is not None and packet.dts <= last_dts):
                return
            last_dts = packet.dts
            # Frames before the first displayed one cannot be decoded, or are discarded by the container.
            if packet.pts >= first and not packet.is_discard and not _is_hidden(packet, context.name):
                heapq.heappush(waiting, packet.pts)
        while waiting and (len(waiting) > MAX_REORDERING or ended):
            pts = heapq.heappop(waiting)
            if last is not None and (pts <= last or (longest is not None and pts - last > longest)):
                return
            last = pts
            yield pts * tick - origin


def _is_hidden(packet: Any, codec: str) -> bool:
    """Whether a VP9 packet holds only a frame that is not shown: section 6.2 of the VP9 bitstream specification."""
    if codec not in {"vp9", "libvpx-vp9"} or not packet.size:
        return False
    data = bytes(packet)
    if data[-1] & 0xE0 == 0xC0:  # a superframe shows its last frame
        return False
    bits = f"{data[0]:08b}"[2:]
    bits = bits[3:] if bits.startswith("11") else bits[2:]
    return bits[0] == "0" and bits[2] == "0"


def promised_end(stream: Any) -> Fraction | None:
    """The end of the last frame, in seconds of the stream's timestamps, where a Matroska muxer stored it, else None."""
    match = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if match is None:
        return None
    hours, minutes, seconds = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)


def packets_beyond_end(stream: Any, path: Path, *, fragments: bool = False) -> int | None:
    """How many shown frames of the index reach beyond the end of the file; None where it does not list every frame.

    With `fragments`, the index is that of the fragments read so far.
    """
    entries = stream.index_entries
    if not entries or (not fragments and (stream.frames <= 0 or len(entries) < stream.frames)):
        return None
    size = path.stat().st_size
    return sum(1 for entry in entries if entry.pos + entry.size > size and not entry.is_discard)
