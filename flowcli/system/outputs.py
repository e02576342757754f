"""What must not be written over."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from flowcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


def refuse_output(path: Path, inputs: Iterable[Path], *, overwrite: bool) -> None:
    """Raises UsageError where `path` is a folder, one of the inputs, or, unless it may `overwrite`, there already."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint="name a file to write")
    if path.exists() and any(other.exists() and path.samefile(other) for other in inputs):
        raise UsageError(f"{path} is the input itself", hint="write somewhere else")
    if os.path.lexists(path) and not overwrite:
        raise UsageError(f"{path} exists already", hint="-y overwrites it; or write somewhere else")


def output_folder(source: Path, output: Path | None) -> Path:
    """The folder of `-o`, or that of the source."""
    return source.resolve().parent if output is None and source.is_dir() else output or source.parent


def remove_empty(folders: Sequence[Path]) -> None:
    """Removes those of the folders, innermost first, that nothing came into."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()
