"""Concatenation of videos by copying packets, with audio if requested."""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from typing import TYPE_CHECKING

import av

from flowcli.media.pyav.audio import AudioTrack
from flowcli.media.pyav.stream_facts import fraction
from flowcli.system.files import output_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import Any

    from flowcli.media.frames import Audio

INDEXED = frozenset({".mp4", ".mov"})
"""The extensions of files with an index, which is put in front, so that they play while they load."""


def join_videos(parts: Sequence[tuple[Path, Fraction]], path: Path, *, audio: Audio | None = None) -> None:
    """Concatenates videos of the same encoder settings into one file at `path`, without decoding.

    Each part is a file and the time of its first frame in the result, in seconds. `audio` is copied up to the end of
    the last frame. Raises OutputError where FFmpeg fails.
    """
    options = {"movflags": "+faststart"} if path.suffix.lower() in INDEXED else {}
    try:
        with ExitStack() as stack:
            joined = stack.enter_context(av.open(str(path.absolute()), "w", options=options))
            copied, track, end = None, None, Fraction(0)
            for packet in _packets(parts):
                if copied is None:
                    copied = _add_copy(packet.stream, joined, path)
                    track = None if audio is None else stack.enter_context(AudioTrack(audio, joined))
                begin = packet.pts * packet.time_base
                if track is not None:
                    track.write_until(begin)
                end = begin + (packet.duration or 0) * packet.time_base
                packet.stream = copied
                joined.mux(packet)
            if track is not None:
                track.write_until(end)
    except av.FFmpegError as error:
        raise output_error(path, error if isinstance(error, OSError) else OSError(None, str(error))) from error


def _packets(parts: Sequence[tuple[Path, Fraction]]) -> Iterator[Any]:
    """Every part's packets, with timestamps of the joined video."""
    for part, time in parts:
        with av.open(str(part.absolute())) as container:
            stream = container.streams.video[0]
            tick = fraction(stream.time_base) or Fraction(1)
            shift: int | None = None
            for packet in container.demux(stream):
                if packet.pts is not None:
                    shift = round(time / tick) - packet.pts if shift is None else shift
                    # Without B-frames the two are equal; Matroska stores only one of them.
                    packet.pts = packet.dts = packet.pts + shift
                    yield packet


def _add_copy(stream: Any, joined: Any, path: Path) -> Any:
    # Opaque: for AV1, no encoder has the decoder's name.
    copied = joined.add_stream_from_template(stream, opaque=True)
    if stream.codec_context.name == "hevc" and path.suffix.lower() != ".mkv":
        copied.codec_context.codec_tag = "hvc1"
    return copied
