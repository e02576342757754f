"""Checks of output paths, and folders of outputs."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from flowcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


def refuse_output(path: Path, inputs: Iterable[Path], *, overwrite: bool, folder: bool = False) -> None:
    """Raises UsageError where `path` is one of `inputs`, exists and `overwrite` is false, or is a folder by mistake."""
    if path.is_dir() and not folder:
        raise UsageError(f"{path} is a folder", hint="name a file to write")
    if path.exists() and any(other.exists() and path.samefile(other) for other in inputs):
        raise UsageError(f"{path} is the input itself", hint="write somewhere else")
    if os.path.lexists(path) and not overwrite:
        raise UsageError(f"{path} exists already", hint="-y overwrites it; or write somewhere else")


def output_folder(source: Path, output: Path | None) -> Path:
    """`output` where it is given, else the folder that holds `source`, in the same words where these name it."""
    return output or (source.resolve().parent if source.name in {"", ".."} else source.parent)


def remove_empty(folders: Sequence[Path]) -> None:
    """Removes the folders that are empty, in the given order."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()
