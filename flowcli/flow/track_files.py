"""Tracks as files: CSV, JSON and a video, all written frame by frame."""

from __future__ import annotations

import contextlib
from collections import deque
from typing import TYPE_CHECKING, Protocol

import numpy as np

from flowcli.media.pyav import VideoWriter
from flowcli.system.files import PartFile, reported
from flowcli.system.json_text import json_text
from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from fractions import Fraction
    from pathlib import Path

    from numpy.typing import NDArray

    from flowcli.flow.tracking import TrackedFrame

TRAIL = 16
"""The number of frames that a point's trail shows."""
_SUBPIXEL = 4  # bits after the binary point in OpenCV's drawing


class TrackFile(Protocol):
    """A file of tracks while it is written; it must end with exactly one of `close`, `abort`, `finish_partial`."""

    def write(self, tracked: TrackedFrame, /) -> None:
        """Adds one frame."""

    def close(self) -> None:
        """Completes the file under its name."""

    def abort(self) -> None:
        """Removes the unfinished file."""

    def finish_partial(self) -> Path | None:
        """Completes the file as `NAME.partial.EXT` and returns its path, None where nothing is kept."""


class TextFile:
    """A text file of `head`, the text that `body` gives for each frame, and the text of `end`."""

    def __init__(
        self, path: Path, *, head: str, body: Callable[[TrackedFrame], str], end: Callable[[], str] = str
    ) -> None:
        self._part = PartFile(path)
        self._body, self._end = body, end
        self._file = self._part.path.open("w", encoding="utf-8", newline="")
        self._write(head)

    def write(self, tracked: TrackedFrame, /) -> None:
        """Adds one frame."""
        self._write(self._body(tracked))

    def close(self) -> None:
        """Completes the file."""
        self._complete()
        self._part.commit()

    def finish_partial(self) -> Path | None:
        """Completes the file as a partial one."""
        self._complete()
        return self._part.commit_partial()

    def abort(self) -> None:
        """Removes the file."""
        # On a full disk, flushing at close fails too.
        with contextlib.suppress(OSError):
            self._file.close()
        self._part.discard()

    def _write(self, text: str) -> None:
        with reported(self._part.final):
            self._file.write(text)

    def _complete(self) -> None:
        self._write(self._end())
        with reported(self._part.final):
            self._file.close()


def table(path: Path) -> TextFile:
    """The CSV file with a row for each point of each frame."""
    return TextFile(path, head="point,frame,time,x,y,end\n", body=rows)


def rows(tracked: TrackedFrame) -> str:
    """The CSV rows of one frame; time in seconds, x and y in px."""
    frame, time = tracked.frame.index, float(tracked.frame.time)
    points = zip(tracked.numbers.tolist(), tracked.places.tolist(), tracked.ends, strict=True)
    return "".join(f"{number},{frame},{time:.6f},{x:.3f},{y:.3f},{end}\n" for number, (x, y), end in points)


class Record:
    """The parts of a JSON file: the facts of the run, a line for each frame, and the number of points by end."""

    def __init__(self, facts: Mapping[str, object]) -> None:
        self.head = json_text(facts, compact=True)[:-1] + ',\n"frames": ['
        self._before = "\n"
        self._ends: dict[str, int] = {}

    def line(self, tracked: TrackedFrame) -> str:
        """One frame: its number, its exact time in seconds, and [point, x, y, end] of each point."""
        for end in filter(None, tracked.ends):
            self._ends[end] = self._ends.get(end, 0) + 1
        points = [
            [number, round(x, 3), round(y, 3), end]
            for number, (x, y), end in zip(tracked.numbers.tolist(), tracked.places.tolist(), tracked.ends, strict=True)
        ]
        before, self._before = self._before, ",\n"
        return before + json_text(
            {"frame": tracked.frame.index, "time": str(tracked.frame.time), "points": points}, compact=True
        )

    def end(self) -> str:
        """The text that completes the JSON."""
        return f'\n], "ends": {json_text(self._ends, compact=True)}}}\n'


def record(path: Path, facts: Mapping[str, object]) -> TextFile:
    """The JSON file of all frames, which starts with the `facts` of the run."""
    content = Record(facts)
    return TextFile(path, head=content.head, body=content.line, end=content.end)


class TrackVideo:
    """The video of the frames with every point and its trail; a ring marks where a point is lost."""

    def __init__(self, path: Path, *, rate: Fraction, tick: Fraction, pixel_aspect: Fraction) -> None:
        self._writer = VideoWriter(path, rate=rate, tick=tick, pixel_aspect=pixel_aspect)
        self._trails: dict[int, deque[tuple[float, float]]] = {}

    def write(self, tracked: TrackedFrame, /) -> None:
        """Draws and encodes one frame."""
        numbers = tracked.numbers.tolist()
        self._trails = {number: self._trails.get(number, deque(maxlen=TRAIL)) for number in numbers}
        for number, place in zip(numbers, tracked.places.tolist(), strict=True):
            self._trails[number].append(tuple(place))
        self._writer.write(drawn(tracked, self._trails), time=tracked.frame.time)

    def close(self) -> None:
        """Completes the video."""
        self._writer.close()

    def finish_partial(self) -> Path | None:
        """Completes the video as a partial one."""
        return self._writer.finish_partial()

    def abort(self) -> None:
        """Removes the video."""
        self._writer.abort()


def drawn(tracked: TrackedFrame, trails: Mapping[int, deque[tuple[float, float]]]) -> NDArray[np.uint8]:
    """A frame with its points and their trails, in a colour for each point."""
    image = np.ascontiguousarray(tracked.frame.image).copy()
    radius = max(2.5, min(image.shape[:2]) / 130)
    width = max(1, round(radius / 2))
    for number, end in zip(tracked.numbers.tolist(), tracked.ends, strict=True):
        trail, colour = fixed(trails[number]), colour_of(number)
        cv2.polylines(
            image, [trail], isClosed=False, color=colour, thickness=width, lineType=cv2.LINE_AA, shift=_SUBPIXEL
        )
        centre, size = tuple(trail[-1].tolist()), round(radius * (1 << _SUBPIXEL))
        if end in {"", "end"}:
            cv2.circle(image, centre, size + (1 << _SUBPIXEL), (0, 0, 0), -1, cv2.LINE_AA, _SUBPIXEL)
            cv2.circle(image, centre, size, colour, -1, cv2.LINE_AA, _SUBPIXEL)
        else:
            cv2.circle(image, centre, 2 * size, colour, 1, cv2.LINE_AA, _SUBPIXEL)
    return image


def fixed(trail: deque[tuple[float, float]]) -> NDArray[np.int32]:
    """Points in the fixed-point coordinates of OpenCV's drawing functions."""
    return np.asarray(np.rint(np.array(trail) * (1 << _SUBPIXEL)), np.int32)


def colour_of(number: int) -> tuple[int, int, int]:
    """A bright RGB colour for a number; successive hues are a golden section apart, so that neighbours differ."""
    hue = round(180 * ((number * 0.618034) % 1)) % 180
    pixel = cv2.cvtColor(np.array([[[hue, 200, 255]]], np.uint8), cv2.COLOR_HSV2RGB)
    red, green, blue = pixel[0, 0].tolist()
    return red, green, blue
