"""Detection of hard cuts, across which flow has no meaning."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from flowcli.media.device_image import DeviceImage
from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from numpy.typing import NDArray

    from flowcli.media.frames import Frame

# Frames are compared at this size: large enough to distinguish two shots, small enough to suppress motion within one.
_WIDTH, _HEIGHT = 32, 18
# A cut changes the pattern, measured independently of brightness and contrast (a flash is not a cut), by this much.
# On bikes.mp4 the weakest of five cuts changes it by 0.30, the fastest motion by 0.16.
_PATTERN = 0.22
# A cut changes the frame by this many grey levels on average (on bikes.mp4 34, against 11 for motion).
_LEVELS = 14.0
# A cut changes the pattern this many times more than the median of the preceding frames did.
_RATIO = 3.0
_PRECEDING = 5
# A pattern of less contrast, in grey levels, is noise.
_NOISE = 6.0


def number_shots(frames: Iterator[Frame]) -> Generator[Frame]:
    """The same frames, each with the number of its shot, from 0; only hard cuts begin a shot."""
    shot = 0
    before: NDArray[np.float32] | None = None
    changes: deque[float] = deque([0.0], maxlen=_PRECEDING)
    for frame in frames:
        now = _signature(frame.image)
        if before is not None:
            change = _pattern_change(before, now)
            levels = float(np.abs(now - before).mean())
            if levels > _LEVELS and change > max(_PATTERN, _RATIO * float(np.median(changes))):
                shot += 1
                changes.clear()
                change = 0.0
            changes.append(change)
        before = now
        yield replace(frame, shot=shot) if shot else frame


def _signature(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    if isinstance(image, DeviceImage):
        small = image.reduced(_HEIGHT, _WIDTH)
    else:
        small = cv2.resize(image, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), 1.5), np.float32)


def _pattern_change(before: NDArray[np.float32], now: NDArray[np.float32]) -> float:
    """Half of 1 minus the correlation: 0 where only brightness or contrast differ, about 0.5 for unrelated images."""
    a, b = (image - image.mean(axis=(0, 1)) for image in (before, now))
    contrast = float(np.sqrt(np.mean(a * a) * np.mean(b * b)))
    return 0.5 * (1 - float(np.mean(a * b)) / contrast) if contrast > _NOISE**2 else 0.0
