"""Decoding of videos that continues after damaged packets."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.format import Flags

from flowcli.errors import UsageError
from flowcli.media.decoding import USUAL
from flowcli.media.frames import Frame
from flowcli.media.pyav.clock import Clock
from flowcli.media.pyav.colours import Colours
from flowcli.media.pyav.cropping import NO_CROP, crop_of
from flowcli.media.pyav.decoder import MAX_BAD_IN_A_ROW, Decoder
from flowcli.media.pyav.deinterlacing import deinterlaced
from flowcli.media.pyav.losses import Losses
from flowcli.media.pyav.matroska import is_joined
from flowcli.media.pyav.opening import note_of_streams, open_container, video_stream
from flowcli.media.pyav.orientation import Orientation, orientation_of
from flowcli.media.pyav.own_levels import led_by_levels
from flowcli.media.pyav.stream_facts import check_size, fraction, has_guessed_times, presentation_times, rate_of
from flowcli.media.selection import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any, Self

    from flowcli.media.decoding import Decoding
    from flowcli.media.pyav.opening import Readable
    from flowcli.media.selection import Selection

__all__ = ["MAX_BAD_IN_A_ROW", "VideoReader"]


class VideoReader:
    """A video opened for one pass: upright frames with exact times; packets that cannot be decoded are skipped.

    `stream` is read instead of the file at `path`, which then only names it. `rate`, in frames per second, may be given
    for streams without timestamps. Times of frames are multiples of `tick` seconds from `origin`, the first frame's
    timestamp in seconds. `frame_count` is the container's estimate, or None. `clock_may_jump` is whether timestamps may
    restart or jump within the file, as in recorded broadcasts. `colours` converts the frames. Raises SourceError where
    the file is not a video that can be read, UsageError where it does not exist, `rate` is given for a video with
    timestamps, or the video stream that `decoding` names is missing.
    """

    def __init__(
        self,
        path: Path,
        *,
        stream: Readable | None = None,
        origin: Fraction | None = None,
        rate: Fraction | None = None,
        decoding: Decoding = USUAL,
    ) -> None:
        self.path = path
        self.colours = Colours(path, decoding.levels)
        self._notes = self.colours.notes
        self._container = open_container(path, stream)
        try:
            self._stream = video_stream(self._container, path, number=decoding.video_stream)
            check_size(path, self._stream.codec_context)
            self._set_rate(rate)
            self.clock_may_jump = self._has(Flags.ts_discont) or (stream is None and is_joined(path))
        except BaseException:
            self._container.close()
            raise
        if decoding.video_stream is None and (note := note_of_streams(self._container, self._stream)):
            self._note("streams", note)
        self._aspect = fraction(self._stream.sample_aspect_ratio) or Fraction(1)
        self._is_file = stream is None
        self._crop = crop_of(path, self._container.streams.video.index(self._stream)) if self._is_file else NO_CROP
        if self._crop != NO_CROP:
            self._note("crop", f"frames are cropped as the file asks for: {self._crop}")
        self._losses = Losses(path if self._is_file else None, self._container, self._stream, rate=self.rate)
        self.frame_count = self._losses.frame_count
        # Frame threads lose the last frames of a cut file, so they decode only files that are known to be whole.
        self._stream.thread_type = "AUTO" if self._losses.is_complete else "SLICE"
        shared = self._container.format.name == "mpeg"
        self._clock = Clock(rate=self.rate, tick=self.tick, origin=origin, jumps=self.clock_may_jump, shared=shared)
        self._decoder = Decoder(path, self._container, self._stream, packets=self._packets, clock=self._clock)
        self._deinterlace = decoding.deinterlace
        self._layout: tuple[int, int, Orientation] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def lost(self) -> int:
        """How many of the selected frames were missing so far."""
        return self._clock.lost

    @property
    def notes(self) -> list[str]:
        """Anomalies of the frames so far, a sentence each."""
        return [*self._notes.values(), *self._clock.notes]

    @property
    def origin(self) -> Fraction | None:
        """The first frame's timestamp in seconds, once a frame was read."""
        return self._clock.origin

    @property
    def pixel_aspect(self) -> Fraction:
        """The width of a displayed pixel over its height; known once a frame was read."""
        return 1 / self._aspect if self._layout and self._layout[2].swaps_axes else self._aspect

    @property
    def seekable(self) -> bool:
        """Whether frames have the same times after a seek as in a full pass."""
        # In MPEG program streams several frames share one timestamp, and after a seek the wrong one gets it.
        shared = self._container.format.name == "mpeg"
        return self.has_clock and not shared and not has_guessed_times(self._stream, self._container)

    def close(self) -> None:
        """Closes the file."""
        self._container.close()

    def seek(self, time: Fraction) -> None:
        """Moves to the last key frame at or before `time`, in seconds after the first frame.

        A file that cannot seek stays where it is; in some formats the next key frame is later than `time`.
        """
        with contextlib.suppress(av.FFmpegError):
            self._container.seek(round((time + (self.origin or 0)) / self.tick), stream=self._stream)

    def next_key_frame(self) -> Fraction | None:
        """The time of the next key frame, up to which it decodes; None where there is none or frames have no times."""
        for decoded in self._decoded():
            if decoded.pts is None:
                return None
            if decoded.key_frame:
                return self._clock.stamp(decoded.pts)[1]
        return None

    def frame_times(self) -> Iterator[Fraction]:
        """The time of every frame, read from packets without decoding; ends early where packets do not determine it."""
        with contextlib.suppress(av.FFmpegError):
            yield from presentation_times(
                self._packets(), self._stream, origin=self.origin or Fraction(0), jumps=self.clock_may_jump
            )

    def frames(
        self, selection: Selection = EVERYTHING, *, reach: Fraction | None = None, from_key_frame: bool = False
    ) -> Iterator[Frame]:
        """The selected frames from the current position on, whose index is 0; a lost frame leaves a gap in the indices.

        Frames before the selection are decoded and skipped, at most `reach` seconds of them. `from_key_frame` skips
        frames before the first key frame.
        """
        first: int | None = None
        latest: Fraction | None = None
        frames = deinterlaced(self._decoded(), self._stream) if self._deinterlace else self._decoded()
        frames = frames if self._is_file else led_by_levels(frames, self.colours)
        for decoded in frames:
            if from_key_frame and not decoded.key_frame:
                continue
            from_key_frame = False
            if decoded.is_corrupt:
                self._clock.note_damage()
            if self.origin is None:
                self._note_late_start(decoded.pts)
            index, time = self._clock.stamp(decoded.pts if self.has_clock else None)
            if first is None:
                if reach is not None:
                    latest, reach = time + reach, None
                if not selection.start.reached(index, time) and (latest is None or time < latest):
                    continue
                first = index
                if not selection.from_first:
                    self._clock.lost = 0
            if selection.ended(index, time, taken=index - first):
                return
            if decoded.is_corrupt:
                self._clock.damaged.append(time)
            yield self._frame(index, time, decoded)
        for subject, note in self._losses.count(self._clock, self._decoder, whole=selection == EVERYTHING):
            self._note(subject, note)

    def _note_late_start(self, pts: int | None) -> None:
        if pts is not None and self._decoder.first_pts is not None:
            missing = round((pts - self._decoder.first_pts) * self.tick * self.rate)
            if missing > 0:
                are = "frame is" if missing == 1 else "frames are"
                self._note("head", f"about {missing} {are} missing at the start, before the first key frame")

    def _has(self, flag: Flags) -> bool:
        return bool(self._container.format.flags & flag.value)

    def _packets(self) -> Iterator[Any]:
        while True:
            try:
                yield from self._container.demux(self._stream)
                return
            except IndexError:
                # PyAV has no entry for a stream that begins within the file, as in recorded broadcasts.
                continue

    def _decoded(self) -> Iterator[Any]:
        return self._decoder.frames()

    def _frame(self, index: int, time: Fraction, decoded: Any) -> Frame:
        check_size(self.path, decoded)
        if self._layout is None:
            self._layout = (decoded.width, decoded.height, orientation_of(decoded))
        width, height, orientation = self._layout
        scaled_from = None
        if (decoded.width, decoded.height) != (width, height):
            scaled_from = decoded.width, decoded.height
            self._note(
                "size",
                f"frames change size, first at {float(time):.3f} s, to {decoded.width} x {decoded.height}; "
                f"all are scaled to {width} x {height}",
            )
        if decoded.interlaced_frame:
            self._note("fields", "frames are interlaced, which shows as combs at moving edges; use --deinterlace")
        image = orientation.apply(self._crop.apply(self.colours.rgb(decoded, width, height)))
        return Frame(index, time, image, scaled_from=scaled_from)

    def _note(self, subject: str, text: str) -> None:
        self._notes.setdefault(subject, text)

    def _set_rate(self, rate: Fraction | None) -> None:
        self.has_clock = not self._has(Flags.no_timestamps)
        if self.has_clock and rate is not None:
            raise UsageError(
                f"{self.path} has timestamps", hint="--fps is for images, and for video without timestamps"
            )
        self.rate = rate or rate_of(self._stream)
        self.tick = (self.has_clock and fraction(self._stream.time_base)) or 1 / self.rate
        if not self.has_clock and rate is None:
            self._note(
                "rate", f"the stream has no timestamps: {float(self.rate):g} frames per second are assumed (--fps)"
            )
