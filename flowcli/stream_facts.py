"""What a container says of its video stream, read with the distrust it has earned.

Streams come as PyAV objects; `av` itself is not needed here.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from flowcli.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

DEFAULT_RATE = Fraction(25)
"""Frames per second of a stream that does not say."""
MAX_PIXELS = 64_000_000
"""The largest frame that is decoded."""


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
