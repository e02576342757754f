"""The levels of a video of more than 8 bits, chosen by the range of its own frames."""

from __future__ import annotations

import contextlib
from itertools import chain, islice
from typing import TYPE_CHECKING

import av

from flowcli.media.levels import SAMPLED, measured
from flowcli.media.pyav.opening import open_container, video_stream
from flowcli.media.pyav.samples import full_range, is_deep, samples_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import Any

    from flowcli.media.levels import Levels
    from flowcli.media.pyav.colours import Colours

_NEAR = 2
"""Seconds within which frames are decoded one after another, without a seek."""
_REACH = 250
"""The number of frames that are decoded at most to reach one of those that are measured."""


def levels_of_file(path: Path, *, number: int | None) -> Levels | None:
    """The levels of one video stream of a file, from frames spread over it, whatever part of it is selected.

    They are the same for all parts of the file. None where the full range shows it well.
    """
    container = open_container(path, None)
    with contextlib.closing(container):
        return _levels_of(_spread(container, video_stream(container, path, number=number)))


def led_by_levels(frames: Iterable[Any], colours: Colours) -> Iterator[Any]:
    """The same frames, the first of which are waited for to choose levels, where those are open and matter."""
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        return
    ahead = [(first, first.pts)]
    if colours.levels == "auto" and is_deep(first):
        ahead += ((frame, frame.pts) for frame in islice(frames, SAMPLED - 1))
        colours.levels = _levels_of(frame for frame, _ in ahead) or "auto"
    for frame, pts in ahead:
        frame.pts = pts  # a frame that is shown again is the same object with another timestamp
        yield frame
    yield from frames


def _levels_of(frames: Iterator[Any]) -> Levels | None:
    first = next(frames, None)
    if first is None or not is_deep(first):
        return None
    same = (frame for frame in chain([first], frames) if frame.format.name == first.format.name)
    return measured(map(samples_of, same), full=full_range(first))


def _spread(container: Any, stream: Any) -> Iterator[Any]:
    start, duration = stream.start_time or 0, stream.duration or 0
    if not duration and container.duration:
        duration = round(container.duration / 1_000_000 / stream.time_base)
    frames, latest = _decoded(container, stream), None
    for number in range(SAMPLED):
        time = start + duration * number // (SAMPLED - 1)
        if latest is not None and latest.pts is not None and (time - latest.pts) * stream.time_base > _NEAR:
            # A file that cannot seek is read on from where it is.
            with contextlib.suppress(av.FFmpegError):
                container.seek(time, stream=stream)
            frames = _decoded(container, stream)
        # A seek may end long before its goal, as most files index few of their frames.
        found = None
        for found in islice(frames, _REACH):
            if found.pts is None or found.pts >= time:
                break
        if found is None:
            return
        latest = found
        yield latest


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    with contextlib.suppress(av.FFmpegError, IndexError):
        for packet in container.demux(stream):
            with contextlib.suppress(av.FFmpegError):
                yield from packet.decode()
