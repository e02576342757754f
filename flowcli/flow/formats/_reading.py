"""Helpers for readers of flow files."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from flowcli.errors import SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

MAX_SIDE = 65535
"""The longest side of a flow field that a header may claim, in pixels."""


@contextmanager
def opened(path: Path, *, kind: str) -> Iterator[BinaryIO]:
    """Opens a flow file; raises UsageError if it is missing, SourceError naming the expected `kind` if unreadable."""
    hint = f"give {kind}"
    try:
        with path.open("rb") as file:
            yield file
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist", hint="check the path") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}", hint=hint) from error


def check_claim(path: Path, *, width: int, height: int, expected: int) -> None:
    """Raises SourceError unless a header agrees with the file's size, before memory of that size is allocated."""
    size = path.stat().st_size
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE) or size != expected:
        raise SourceError(
            f"{path} says {width} x {height}, which takes {expected} bytes, but has {size}",
            hint="copy it again, or write it again",
        )
