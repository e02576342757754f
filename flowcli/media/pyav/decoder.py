"""Frames of one stream in display order, decoded packet by packet, past packets that are damaged or empty."""

from __future__ import annotations

import contextlib
import heapq
from collections import deque
from typing import TYPE_CHECKING

import av

from flowcli.errors import SourceError
from flowcli.media.jpeg import END as END_OF_JPEG
from flowcli.media.pyav.stream_facts import has_guessed_times, is_empty, is_shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

    from flowcli.media.pyav.clock import Clock

MAX_BAD_IN_A_ROW = 32
"""Number of consecutive packets that fail to decode after which the rest of a video is skipped."""
# Codecs whose packets may mean that the frame before stays, or hold a frame that is not shown.
_MAY_LACK_PICTURES = frozenset({"mpeg4", "vp8", "libvpx", "vp9", "libvpx-vp9"})
_THEORA_COMMENT = b"\x81theora"
_THEORA_HEADERS = (b"\x80theora", _THEORA_COMMENT, b"\x82theora")
"""The packets that come before the frames of a stream, and again where another one is joined on."""


class Decoder:
    """Decodes one stream of a container; `packets` begins to demux it where it stands, and `clock` counts the losses.

    `delivered` counts the packets so far that the container shows; `first_pts` is the first one's timestamp in ticks.
    """

    def __init__(
        self, path: Path, container: Any, stream: Any, *, packets: Callable[[], Iterator[Any]], clock: Clock
    ) -> None:
        self.path = path
        self.delivered = 0
        self.first_pts: int | None = None
        self._stream = stream
        self._packets = packets
        self._clock = clock
        self._repeats: list[int] = []
        self._slots: deque[int] | None = deque() if has_guessed_times(stream, container) else None
        self._may_be_packed = container.format.name == "avi" and stream.codec_context.name == "mpeg4"
        self._is_theora = stream.codec_context.name == "theora"
        self._strict = _strict_decoder("mjpeg") if stream.codec_context.name == "mjpeg" else None
        self._may_lack_pictures = stream.codec_context.name in _MAY_LACK_PICTURES
        self._waiting: set[int] = set()
        self._first_shown: int | None = None

    @property
    def without_picture(self) -> int:
        """How many packets after the first frame gave no frame: they mean that the one before stays."""
        return sum(self._first_shown is not None and pts > self._first_shown for pts in self._waiting)

    def frames(self) -> Iterator[Any]:
        """PyAV's frames in display order; an empty packet means the frame before it again.

        Such a frame is the same object with another timestamp, and so is valid until the next one is taken.
        """
        latest: Any = None
        for frame in self._timed():
            if latest is not None and frame.pts is not None and latest.pts is not None:
                # Timestamps of a new stretch may be lower.
                yield from self._again(latest, before=frame.pts if frame.pts > latest.pts else None)
            latest = frame
            yield frame
        if latest is not None:
            yield from self._again(latest, before=None)

    def _again(self, frame: Any, *, before: int | None) -> Iterator[Any]:
        while self._repeats and (before is None or self._repeats[0] < before):
            frame.pts = heapq.heappop(self._repeats)
            yield frame

    def _timed(self) -> Iterator[Any]:
        """The decoded frames; those whose timestamps are guesses get the slots of the packets in their order."""
        for frame in _in_order_of_times(self._decoded()) if self._may_be_packed else self._decoded():
            if self._slots is not None:
                frame.pts = self._slots.popleft() if self._slots else None
            self._waiting.discard(frame.pts)
            if self._first_shown is None:
                self._first_shown = frame.pts
            yield frame

    def _decoded(self) -> Iterator[Any]:
        # container.decode() would end at the first bad packet.
        packets = self._packets()
        bad_in_a_row = 0
        while bad_in_a_row < MAX_BAD_IN_A_ROW:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                self._note(packet)
                if is_empty(packet):
                    if packet.pts is not None:
                        heapq.heappush(self._repeats, packet.pts)
                    continue
                frames = self._frames_of(packet)
            except av.error.EOFError:
                return
            except av.FFmpegError:
                bad_in_a_row += 1
                self._waiting.clear()
                self._clock.count_lost_frame()
                packets = self._packets()
                continue
            if self._slots is not None and packet.dts is not None:
                self._slots.append(packet.dts)
            bad_in_a_row = 0 if frames else bad_in_a_row
            yield from frames
        # Flushes the decoder after too many errors; at the end of a file, the last packet flushes it.
        with contextlib.suppress(av.FFmpegError):
            yield from self._stream.codec_context.decode(None)

    def _frames_of(self, packet: Any) -> list[Any]:
        """The frames that are ready once the decoder has this packet; raises FFmpegError where it is damaged."""
        if self._may_lack_pictures and packet.pts is not None:
            self._waiting.add(packet.pts)
        if self._is_theora and bytes(packet).startswith(_THEORA_COMMENT):
            return []  # the decoder of the joined stream before it would take it for a damaged frame
        if self._strict is not None and not bytes(packet).rstrip(b"\0").endswith(END_OF_JPEG):
            self._strict.decode(packet)
        frames: list[Any] = packet.decode()
        return frames

    def _note(self, packet: Any) -> None:
        if packet.has_sidedata("encryption_info"):
            # Encrypted packets decode now and then, as noise and without an error.
            raise SourceError(f"{self.path} is encrypted", hint="decrypt it first")
        if packet.is_corrupt:
            self._clock.note_damage()
        if not is_shown(packet) or (self._is_theora and bytes(packet).startswith(_THEORA_HEADERS)):
            return
        self.delivered += 1
        if self.first_pts is None:
            self.first_pts = packet.pts


def _in_order_of_times(frames: Iterator[Any]) -> Iterator[Any]:
    """The same frames, two neighbours of which exchange timestamps that are in the wrong order.

    Where a packet holds two frames, a P-frame and a B-frame (packed), FFmpeg takes the wrong one's.
    """
    held: Any = next(frames, None)
    for frame in frames:
        if frame.pts is not None and held.pts is not None and frame.pts < held.pts:
            frame.pts, held.pts = held.pts, frame.pts
        yield held
        held = frame
    if held is not None:
        yield held


def _strict_decoder(name: str) -> Any:
    """A decoder that refuses data that ends too early, which FFmpeg's otherwise fills up with grey."""
    decoder: Any = av.CodecContext.create(name, "r")
    decoder.options = {"err_detect": "explode"}
    return decoder
