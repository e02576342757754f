"""The demo clip as a source of frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcli.media.demo_clip.clip import FAN_RATE, fan_frames
from flowcli.media.frames import FramePair, VideoMeta

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from flowcli.media.frames import Frame

FRAMES, HEIGHT, WIDTH = 48, 480, 640


class FanSource:
    """The demo clip as a source: 48 frames of 640 x 480."""

    lost = 0

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.meta = VideoMeta("fan", WIDTH, HEIGHT, FAN_RATE, FRAMES, tick=1 / FAN_RATE)

    def frames(self) -> Iterator[Frame]:
        """Every frame, rendered when it is requested."""
        return fan_frames(FRAMES, HEIGHT, WIDTH)

    def sample_pairs(self, *, count: int, skip: int) -> list[FramePair]:
        """The first pair, whose speed is that of all others: the fan turns at a constant rate."""
        first, second = fan_frames(2, HEIGHT, WIDTH)
        return [FramePair(first, second, continues=False)][:count] if skip == 1 else []

    def close(self) -> None:
        """Does nothing: no file is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
