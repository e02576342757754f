"""Where frames come from: every file here is one kind of input, and is imported only when a path is opened.

A kind declares `accepts(path) -> bool` and `class Source`. A file whose name starts with `_` helps the others.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Protocol

from flowcli.errors import SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction
    from pathlib import Path
    from typing import Self

    from flowcli.frames import Frame, FramePair, VideoMeta


class Source(Protocol):
    """Frames of one input, which may be read more than once."""

    meta: VideoMeta
    lost: int
    """How many frames could not be decoded, known when `frames` has ended."""

    def frames(self) -> Iterator[Frame]:
        """All frames in order."""

    def glimpse(self, *, count: int, skip: int) -> list[FramePair]:
        """At most `count` pairs, `skip` frames apart, spread over the input; read apart from `frames`."""

    def close(self) -> None:
        """Lets go of the input."""

    def __enter__(self) -> Self:
        """Closes when the block ends."""

    def __exit__(self, *_: object) -> None:
        """Closes."""


def open_source(path: Path, *, rate: Fraction | None = None) -> Source:
    """The frames below `path`, with its first ones read, so that what cannot be used fails here.

    `rate` is the frames per second of images, which have none of their own.
    """
    for _, name, _ in pkgutil.iter_modules(__path__):
        if name.startswith("_"):
            continue
        kind = importlib.import_module(f"{__name__}.{name}")
        if kind.accepts(path):
            source: Source = kind.Source(path, rate=rate)
            return source
    if not path.exists():
        raise UsageError(f"{path} does not exist", hint="check the path")
    raise SourceError(f"{path} is neither a file nor a folder", hint="give a video file or a folder of images")
