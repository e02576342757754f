"""Where one shot ends and the next begins: flow across a cut means nothing."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from flowcli.media.frames import Frame

# Wide enough to tell two shots apart, small enough that motion within one hardly shows.
_WIDTH, _HEIGHT = 32, 18
# A cut changes this share of what a picture shows: its pattern, whatever the light, so that a flash is none.
# On bikes.mp4 the faintest of five cuts changes 0.30, the fastest motion 0.16.
_PATTERN = 0.22
# It changes the picture itself by this many grey levels (there, 34 against 11), ...
_LEVELS = 14.0
# ... and the pattern this many times more than the frames just before it did.
_SURPRISE = 3.0
_REMEMBERED = 5
# Grey levels; a pattern fainter than this is noise.
_FAINT = 6.0


def number_shots(frames: Iterator[Frame]) -> Iterator[Frame]:
    """The same frames, each with the number of its shot, from 0; hard cuts only."""
    shot = 0
    before: NDArray[np.float32] | None = None
    changes: deque[float] = deque([0.0], maxlen=_REMEMBERED)
    for frame in frames:
        now = _signature(frame.image)
        if before is not None:
            change = _pattern_change(before, now)
            levels = float(np.abs(now - before).mean())
            if levels > _LEVELS and change > max(_PATTERN, _SURPRISE * float(np.median(changes))):
                shot += 1
                changes.clear()
                change = 0.0
            changes.append(change)
        before = now
        yield replace(frame, shot=shot) if shot else frame


def _signature(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    small = cv2.resize(image, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), 1.5), np.float32)


def _pattern_change(before: NDArray[np.float32], now: NDArray[np.float32]) -> float:
    """How unlike two pictures are, from 0 (alike but for brightness and contrast) to about 1 (unrelated)."""
    a, b = (picture - picture.mean(axis=(0, 1)) for picture in (before, now))
    contrast = float(np.sqrt(np.mean(a * a) * np.mean(b * b)))
    return 0.5 * (1 - float(np.mean(a * b)) / contrast) if contrast > _FAINT**2 else 0.0
