"""NAME_inspect/: a folder that gets its name only when all files in it are complete."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flowcli.errors import OutputError, UsageError
from flowcli.system.files import reported
from flowcli.system.outputs import remove_empty

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RECORD = "inspect.json"
GUIDE = "README.md"


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Raises UsageError or OutputError if the folder cannot be written.

    That is if it exists and `overwrite` is not set or it holds other files, and if it cannot be created.
    """
    if os.path.lexists(folder):
        if not overwrite:
            raise UsageError(f"{folder} exists already", hint="-y overwrites it, -o writes elsewhere")
        foreign = sorted(foreign_files(folder))
        if foreign:
            raise UsageError(
                f"{folder} holds a file that inspect did not write: {foreign[0]}",
                hint="move it away, or choose another -o",
            )
    nearest = next(place for place in folder.absolute().parents if place.exists())
    if not nearest.is_dir():
        raise UsageError(f"{folder} cannot be a folder: {nearest} is a file", hint="choose another folder with -o")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise OutputError(f"{folder} cannot be written: permission denied", hint="choose another folder with -o")


def foreign_files(folder: Path) -> set[str]:
    """The files in a folder that its inspect.json does not list; all of them if it has none."""
    if not folder.is_dir() or folder.is_symlink():
        return {folder.name}
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return found - {RECORD, *record["files"]}
    except (OSError, ValueError, TypeError, KeyError):
        return found


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """A hidden folder to write to, which replaces `folder` at the end of the block, or is removed if it raises."""
    part, old = (folder.with_name(f".{folder.name}.{state}") for state in ("part", "old"))
    made = [place for place in folder.absolute().parents if not place.exists()]
    with reported(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        for leftover in (part, old):
            shutil.rmtree(leftover, ignore_errors=True)
        part.mkdir()
    try:
        yield part
        with reported(folder):
            replace(folder, part, old)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        remove_empty(made)


def replace(folder: Path, part: Path, old: Path) -> None:
    """Renames `part` to `folder`, which is renamed to `old` meanwhile and then removed."""
    if not folder.exists():
        part.rename(folder)
        return
    folder.rename(old)
    try:
        part.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
