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
    """The fan as a source of frames."""

    lost = 0

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.meta = VideoMeta("fan", WIDTH, HEIGHT, FAN_RATE, FRAMES, tick=1 / FAN_RATE)

    def frames(self) -> Iterator[Frame]:
        """Every frame, painted when it is asked for."""
        return fan_frames(FRAMES, HEIGHT, WIDTH)

    def sample_pairs(self, *, count: int, skip: int) -> list[FramePair]:
        """The first pair: the fan turns evenly, so that it tells how fast the others are."""
        first, second = fan_frames(2, HEIGHT, WIDTH)
        return [FramePair(first, second, continues=False)][:count] if skip == 1 else []

    def close(self) -> None:
        """Nothing to let go of."""

    def __enter__(self) -> Self:
        """Nothing to open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""
