"""Files that get their name only when they are complete."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flowcli.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class PartFile:
    """An incomplete file: write to `path`, then commit it under its final name or discard it.

    `path` is hidden and keeps its extension, by which writers choose a format. Missing folders are created. Every
    method raises OutputError where the system refuses.
    """

    def __init__(self, final: Path) -> None:
        self.final = final
        self.path = final.with_name(f".{final.stem}.part{final.suffix}")
        with reported(final):
            final.parent.mkdir(parents=True, exist_ok=True)
            self._make()

    def _make(self) -> None:
        self.path.open("wb").close()

    def commit(self) -> Path:
        """Flushes the file to disk, then gives it its final name."""
        return self._rename(self.final)

    def commit_partial(self) -> Path:
        """Gives an interrupted file the name `NAME.partial.EXT`."""
        return self._rename(partial_name(self.final))

    def discard(self) -> None:
        """Removes the incomplete file; does nothing after a commit."""
        with reported(self.final):
            self.path.unlink(missing_ok=True)

    def _rename(self, name: Path) -> Path:
        with reported(self.final):
            with self.path.open("rb+") as file:
                os.fsync(file.fileno())
            self.path.replace(name)
        return name


class PartFolder(PartFile):
    """An incomplete folder of files, as PartFile is an incomplete file."""

    def _make(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir()

    def discard(self) -> None:
        """Removes the incomplete folder; does nothing after a commit."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _rename(self, name: Path) -> Path:
        with reported(self.final):
            if name.is_symlink():
                name.unlink()
            elif name.is_dir():
                shutil.rmtree(name)
            self.path.replace(name)
        return name


def partial_name(path: Path) -> Path:
    """The name of an interrupted file: `NAME.partial.EXT`."""
    return path.with_name(f"{path.stem}.partial{path.suffix}")


def write_whole(path: Path, data: bytes | memoryview) -> None:
    """Writes `data` to `path`; raises OutputError, and leaves `path` as it was, where that fails."""
    part = PartFile(path)
    try:
        with reported(path):
            part.path.write_bytes(data)
        part.commit()
    except BaseException:
        part.discard()
        raise


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Raises an OSError of the block as OutputError about `path`."""
    try:
        yield
    except OSError as error:
        raise output_error(path, error) from error


def output_error(path: Path, error: OSError) -> OutputError:
    """The error of a `path` that cannot be written."""
    if error.errno == errno.ENOSPC:
        return OutputError(f"{path} cannot be written: the disk is full", hint="free some space, or choose another -o")
    if error.errno == errno.ENAMETOOLONG:
        hint = "outputs are named after the input: give the input a shorter name, or link to it by one"
        return OutputError(f"{path} cannot be written: the name of an output is too long", hint=hint)
    reason = error.strerror or str(error) or type(error).__name__
    return OutputError(
        f"{path} cannot be written: {reason[:1].lower()}{reason[1:]}", hint="choose another folder with -o"
    )
