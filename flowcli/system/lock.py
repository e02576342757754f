"""One run at a time in one place."""

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
    """Keeps `folder`, which is made if need be, to this process until `release`.

    The system lets go of it when the process dies, however that happens, so no stale lock stays behind. Raises
    UsageError where another process holds it.
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
        """Lets others in."""
        with contextlib.suppress(OSError):
            self._holder.unlink()
        self._lock.release()


def wait_until_free(folder: Path, *, seconds: float) -> None:
    """Waits for a process to let go of `folder`, which may be about to end; no longer than so many seconds."""
    if folder.exists():
        with contextlib.suppress(Timeout), FileLock(folder / "lock", timeout=seconds):
            pass
