"""How frames are decoded, as options choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowcli.media.levels import Levels, Mode


@dataclass(frozen=True)
class Decoding:
    """The choices that change frames, each as far as it fits the source.

    `levels` are for more than 8 bits: chosen by the source's own range, `full`, or given. `video_stream` counts the
    video streams of a file from 0; None is the default one.
    """

    deinterlace: bool = False
    levels: Levels | Mode = "auto"
    video_stream: int | None = None


USUAL = Decoding()
