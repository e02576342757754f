"""Files that appear under their name only when they are complete."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flowcli.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class PartFile:
    """A file in the making: write to `path`, then commit it under its final name or discard it.

    `path` is hidden and keeps its extension last, which writers look at. Its folder is made where it is missing.
    """

    def __init__(self, final: Path) -> None:
        self.final = final
        self.path = final.with_name(f".{final.stem}.part{final.suffix}")
        with reported(final):
            final.parent.mkdir(parents=True, exist_ok=True)
            self.path.open("wb").close()

    def commit(self) -> Path:
        """Gives the file its final name, once its bytes are on the disk."""
        return self._rename(self.final)

    def commit_partial(self) -> Path:
        """Gives an interrupted file the name `NAME.partial.EXT`, never the final one."""
        return self._rename(partial_name(self.final))

    def discard(self) -> None:
        """Removes what was written; harmless after a commit."""
        with reported(self.final):
            self.path.unlink(missing_ok=True)

    def _rename(self, name: Path) -> Path:
        with reported(self.final):
            with self.path.open("rb+") as file:
                os.fsync(file.fileno())
            self.path.replace(name)
        return name


def partial_name(path: Path) -> Path:
    """What an interrupted file is called."""
    return path.with_name(f"{path.stem}.partial{path.suffix}")


def write_whole(path: Path, data: bytes | memoryview) -> None:
    """Writes `data` to `path`, which afterwards holds all of it or is as it was."""
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
    """Turns the system's refusal to write `path` into an OutputError."""
    try:
        yield
    except OSError as error:
        raise output_error(path, error) from error


def output_error(path: Path, error: OSError) -> OutputError:
    """The failure to write `path`, as its user should read it."""
    if error.errno == errno.ENOSPC:
        return OutputError(f"{path} cannot be written: the disk is full", hint="free some space, or choose another -o")
    if error.errno == errno.ENAMETOOLONG:
        hint = "outputs are named after the input: give that a shorter name, perhaps by a link"
        return OutputError(f"{path} cannot be written: the name of an output is too long", hint=hint)
    reason = error.strerror or str(error) or type(error).__name__
    return OutputError(
        f"{path} cannot be written: {reason[:1].lower()}{reason[1:]}", hint="choose another folder with -o"
    )
