"""A lock that keeps a folder to one process."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from flowcli.errors import UsageError
from flowcli.system.files import reported

if TYPE_CHECKING:
    from pathlib import Path


class Lock:
    """Locks `folder`, which is created where it is missing, for this process until `release`.

    The system releases the lock when the process dies, so no stale lock remains. Raises UsageError where another
    process holds it, OutputError where the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._holder = folder / "pid"
        with reported(folder.parent):
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(folder / "lock", blocking=False)
            try:
                self._lock.acquire()
            except Timeout:
                pid = self._holder.read_text() if self._holder.exists() else "unknown"
                raise UsageError(
                    f"another run writes there: process {pid} holds {folder}", hint="wait for it, or choose another -o"
                ) from None
            self._holder.write_text(str(os.getpid()))

    def release(self) -> None:
        """Lets other processes lock the folder."""
        with contextlib.suppress(OSError):
            self._holder.unlink()
        self._lock.release()


def is_held(folder: Path) -> bool:
    """Whether a process holds the lock of `folder`."""
    if not folder.exists():
        return False
    try:
        with FileLock(folder / "lock", blocking=False):
            return False
    except Timeout:
        return True


def wait_until_free(folder: Path) -> None:
    """Waits until no process holds the lock of `folder`."""
    with FileLock(folder / "lock"):
        pass
