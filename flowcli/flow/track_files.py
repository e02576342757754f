"""Tracks as files: a table, JSON, and a video that shows them; all grow frame by frame."""

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

    from flowcli.flow.tracking import Seen

TRAIL = 16
"""How many frames of its past a point drags behind it."""
_SUBPIXEL = 4  # bits after the binary point in OpenCV's drawing


class TrackFile(Protocol):
    """A file that takes what each frame shows, and ends with exactly one of the last three."""

    def write(self, seen: Seen, /) -> None:
        """Adds one frame."""

    def close(self) -> None:
        """Completes the file under its name."""

    def abort(self) -> None:
        """Leaves nothing behind."""

    def finish_partial(self) -> Path | None:
        """Completes what there is under a name that says so."""


class Text:
    """A text file that grows by a piece for each frame; what `end` returns completes it."""

    def __init__(self, path: Path, *, head: str, piece: Callable[[Seen], str], end: Callable[[], str] = str) -> None:
        self._part = PartFile(path)
        self._piece, self._end = piece, end
        self._file = self._part.path.open("w", encoding="utf-8", newline="")
        self._write(head)

    def write(self, seen: Seen, /) -> None:
        """Adds one frame."""
        self._write(self._piece(seen))

    def close(self) -> None:
        """Completes the file."""
        self._complete()
        self._part.commit()

    def finish_partial(self) -> Path | None:
        """Completes what there is."""
        self._complete()
        return self._part.commit_partial()

    def abort(self) -> None:
        """Removes what was written."""
        # A full disk also refuses what is still in memory.
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


def table(path: Path) -> Text:
    """CSV: a row for each point of each frame."""
    return Text(path, head="point,frame,time,x,y,end\n", piece=rows)


def rows(seen: Seen) -> str:
    """The rows of one frame."""
    frame, time = seen.frame.index, float(seen.frame.time)
    points = zip(seen.numbers.tolist(), seen.places.tolist(), seen.ends, strict=True)
    return "".join(f"{number},{frame},{time:.6f},{x:.3f},{y:.3f},{end}\n" for number, (x, y), end in points)


class Record:
    """JSON: a line for each frame, with the facts of the run before them and how many points ended how after them."""

    def __init__(self, facts: Mapping[str, object]) -> None:
        self.head = json_text(facts, compact=True)[:-1] + ',\n"frames": ['
        self._before = "\n"
        self._ends: dict[str, int] = {}

    def piece(self, seen: Seen) -> str:
        """One frame: its number, its exact time in seconds, and [point, x, y, end] of each point."""
        for end in filter(None, seen.ends):
            self._ends[end] = self._ends.get(end, 0) + 1
        points = [
            [number, round(x, 3), round(y, 3), end]
            for number, (x, y), end in zip(seen.numbers.tolist(), seen.places.tolist(), seen.ends, strict=True)
        ]
        before, self._before = self._before, ",\n"
        return before + json_text(
            {"frame": seen.frame.index, "time": str(seen.frame.time), "points": points}, compact=True
        )

    def end(self) -> str:
        """What closes the JSON."""
        return f'\n], "ends": {json_text(self._ends, compact=True)}}}\n'


def record(path: Path, facts: Mapping[str, object]) -> Text:
    """JSON of all frames."""
    content = Record(facts)
    return Text(path, head=content.head, piece=content.piece, end=content.end)


class TrackVideo:
    """The frames, with every point and its trail; a ring is where a point is seen for the last time."""

    def __init__(self, path: Path, *, rate: Fraction, tick: Fraction) -> None:
        self._writer = VideoWriter(path, rate=rate, tick=tick)
        self._trails: dict[int, deque[tuple[float, float]]] = {}

    def write(self, seen: Seen, /) -> None:
        """Draws and encodes one frame."""
        numbers = seen.numbers.tolist()
        self._trails = {number: self._trails.get(number, deque(maxlen=TRAIL)) for number in numbers}
        for number, place in zip(numbers, seen.places.tolist(), strict=True):
            self._trails[number].append(tuple(place))
        self._writer.write(drawn(seen, self._trails), time=seen.frame.time)

    def close(self) -> None:
        """Completes the video."""
        self._writer.close()

    def finish_partial(self) -> Path | None:
        """Completes what there is."""
        return self._writer.finish_partial()

    def abort(self) -> None:
        """Removes the video."""
        self._writer.abort()


def drawn(seen: Seen, trails: Mapping[int, deque[tuple[float, float]]]) -> NDArray[np.uint8]:
    """A frame with its points, each in a colour of its own."""
    image = np.ascontiguousarray(seen.frame.image).copy()
    radius = max(2.5, min(image.shape[:2]) / 130)
    width = max(1, round(radius / 2))
    for number, end in zip(seen.numbers.tolist(), seen.ends, strict=True):
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
    """Places as OpenCV draws between pixels."""
    return np.asarray(np.rint(np.array(trail) * (1 << _SUBPIXEL)), np.int32)


def colour_of(number: int) -> tuple[int, int, int]:
    """A bright colour that differs from those of its neighbours: hues a golden section apart."""
    hue = round(180 * ((number * 0.618034) % 1)) % 180
    pixel = cv2.cvtColor(np.array([[[hue, 200, 255]]], np.uint8), cv2.COLOR_HSV2RGB)
    red, green, blue = pixel[0, 0].tolist()
    return red, green, blue
