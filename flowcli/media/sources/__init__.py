"""Where frames come from: every file here is one kind of input, and is imported only when a path is opened.

A kind declares `accepts(path) -> bool` and `SOURCE`, the class that reads it; kinds are asked in the order of their
names. A file whose name starts with `_` helps the others.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import TYPE_CHECKING, Protocol

from flowcli.errors import SourceError, UsageError
from flowcli.media.selection import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction
    from pathlib import Path
    from typing import Self

    from flowcli.media.frames import Frame, FramePair, VideoMeta
    from flowcli.media.selection import Selection

STDIN = "-"
"""The path that stands for standard input."""
WILDCARD = re.compile(r"%(?:0\d+)?d|[*?]|\[.+\]")
"""What makes a name a pattern: a number as in `%04d`, or what shells know."""


class Source(Protocol):
    """The selected frames of one input, which may be read more than once, unless it is a stream."""

    meta: VideoMeta
    lost: int
    """How many frames could not be decoded, known when `frames` has ended."""
    notes: list[str]
    """What a user should know of the frames, a sentence each, known when `frames` has ended."""

    def frames(self) -> Iterator[Frame]:
        """The selected frames in order, counted and timed from the first of them."""

    def sample_pairs(self, *, count: int, skip: int) -> list[FramePair]:
        """At most `count` pairs, `skip` frames apart, spread over the input; read apart from `frames`."""

    def close(self) -> None:
        """Lets go of the input."""

    def __enter__(self) -> Self:
        """Closes when the block ends."""

    def __exit__(self, *_: object) -> None:
        """Closes."""


def open_source(
    path: Path, *, rate: Fraction | None = None, selection: Selection = EVERYTHING, deinterlace: bool = False
) -> Source:
    """The frames below `path`, with its first ones read, so that what cannot be used fails here.

    `rate` is the frames per second of what has no times of its own: images, and raw streams. `deinterlace` makes the
    frames of interlaced video whole.
    """
    check_name(path)
    for _, name, _ in pkgutil.iter_modules(__path__):
        if name.startswith("_"):
            continue
        kind = importlib.import_module(f"{__name__}.{name}")
        if kind.accepts(path):
            source: Source = kind.SOURCE(path, rate=rate, selection=selection, deinterlace=deinterlace)
            return source
    if not path.exists():
        raise UsageError(f"{path} does not exist", hint="check the path")
    raise SourceError(f"{path} is neither a file nor a folder", hint="give a video file or a folder of images")


def comes_once(path: Path) -> bool:
    """Whether a path is standard input or a named pipe, as shells make of `<(...)`."""
    check_name(path)
    return str(path) == STDIN or path.is_fifo()


def check_name(path: Path) -> None:
    """Raises UsageError for what no file can be called."""
    try:
        path.exists()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{path} is no path: {reason.lower()}", hint="check the path") from error


def name_of(path: Path) -> str:
    """What outputs of an input are named after: a file's stem, a folder's name, or the text that a pattern begins with.

    A pattern that begins with its wildcard has the name of its folder.
    """
    if str(path) == STDIN:
        return "stdin"
    if path.exists():
        return path.stem if path.is_file() else path.name or path.resolve().name
    wildcard = WILDCARD.search(path.name)
    if wildcard is None:
        return path.stem
    return path.name[: wildcard.start()].rstrip("_-. ") or name_of(path.parent)
