"""Sources of frames: each file here is one kind of input, imported only when a path is opened.

A kind declares `accepts(path) -> bool` and `SOURCE`, the class that reads it; kinds are tried in alphabetical order.
Files whose names start with `_` are helpers.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

from flowcli.errors import SourceError, UsageError
from flowcli.media.addresses import refuse_address
from flowcli.media.decoding import USUAL
from flowcli.media.selection import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Self

    from flowcli.media.decoding import Decoding
    from flowcli.media.frames import Frame, FramePair, VideoMeta
    from flowcli.media.selection import Selection

STDIN = "-"
"""The path that stands for standard input."""
WILDCARD = re.compile(r"%(?:0\d+)?d|[*?]|\[.+\]")
"""The wildcards of patterns: a number such as `%04d`, or `*`, `?` and `[...]` as in shells."""


class Source(Protocol):
    """The selected frames of one input, which can be read more than once, unless it is a pipe."""

    meta: VideoMeta
    lost: int
    """How many frames could not be decoded, known when `frames` has ended."""
    notes: list[str]
    """Anomalies of the frames, a sentence each, known when `frames` has ended."""

    def frames(self) -> Iterator[Frame]:
        """The selected frames in order, with indices and times that count from the first of them."""

    def sample_pairs(self, *, count: int, skip: int) -> list[FramePair]:
        """At most `count` pairs, `skip` frames apart, spread over the input where it is seekable.

        It does not change what `frames` yields.
        """

    def close(self) -> None:
        """Closes the input."""

    def __enter__(self) -> Self:
        """Closes when the block ends."""

    def __exit__(self, *_: object) -> None:
        """Closes."""


def open_source(
    path: Path, *, rate: Fraction | None = None, selection: Selection = EVERYTHING, decoding: Decoding = USUAL
) -> Source:
    """The source at `path`: a video, a folder or pattern of images, or `-`.

    `rate` is frames per second, for images and video without timestamps. `decoding` changes frames. Raises
    UsageError where the path does not exist or the options do not fit it, SourceError where it cannot be read.
    """
    check_name(path)
    for _, name, _ in pkgutil.iter_modules(__path__):
        if name.startswith("_"):
            continue
        kind = importlib.import_module(f"{__name__}.{name}")
        if kind.accepts(path):
            source: Source = kind.SOURCE(path, rate=rate, selection=selection, decoding=decoding)
            return source
    if not path.exists():
        raise UsageError(f"{path} does not exist", hint="check the path")
    raise SourceError(f"{path} is neither a file nor a folder", hint="give a video file or a folder of images")


def open_pair(first: Path, second: Path, *, rate: Fraction | None = None, decoding: Decoding = USUAL) -> Source:
    """Two images of one size as a source of two frames, one second apart if no `rate` is given.

    Raises UsageError where one does not exist, SourceError where one cannot be read.
    """
    from flowcli.media.sources._sequence import ImageSequence  # noqa: PLC0415 - loads OpenCV

    return ImageSequence(first, [first, second], name=first.name, rate=rate or Fraction(1), decoding=decoding)


def is_pipe(path: Path) -> bool:
    """Whether a path is standard input or a named pipe, such as `<(...)` in a shell."""
    check_name(path)
    return str(path) == STDIN or path.is_fifo()


def check_name(path: Path) -> None:
    """Raises UsageError for a name that no file can have, and for addresses and webcams."""
    try:
        path.exists()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{path} is not a path: {reason.lower()}", hint="check the path") from error
    refuse_address(path)


def name_of(path: Path) -> str:
    """The base name of an input's outputs: a file's stem, a folder's name, or a pattern's text before its wildcard.

    Where that text is empty, the pattern's folder gives the name.
    """
    if str(path) == STDIN:
        return "stdin"
    if path.exists():
        return path.stem if path.is_file() else (path.resolve() if path.name in {"", ".."} else path).name
    wildcard = WILDCARD.search(path.name)
    if wildcard is None:
        return path.stem
    return path.name[: wildcard.start()].rstrip("_-. ") or name_of(path.parent)
