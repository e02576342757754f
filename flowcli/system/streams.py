"""The standard streams: open, able to print every character, and stderr kept apart from that of native code."""

from __future__ import annotations

import io
import os
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ONE_AT_A_TIME = threading.Lock()


def prepare_streams() -> None:
    """Opens closed standard streams on the null device, escapes what they cannot encode, and duplicates stderr.

    A file that is opened later would otherwise get the descriptor of a closed stream, and everything printed to it.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(nothing, number)
    if nothing > 2:
        os.close(nothing)
    sys.stdin = sys.stdin or open(0, encoding="utf-8")  # noqa: SIM115 - open as long as the process runs
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8")  # noqa: SIM115
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    if os.name != "nt":  # Windows' console is not a file
        encoding = sys.stderr.encoding if sys.stderr else "utf-8"
        # Unbuffered: a buffer could not be flushed at the end where the device is full.
        sys.stderr = io.TextIOWrapper(
            io.FileIO(os.dup(2), "w"), encoding=encoding, errors="backslashreplace", write_through=True
        )


@contextmanager
def silenced() -> Iterator[None]:
    """Discards what native code writes to stderr in the block; without `prepare_streams`, it does nothing."""
    if _is_shared():
        yield
        return
    with _ONE_AT_A_TIME:
        before, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 2)
        try:
            yield
        finally:
            os.dup2(before, 2)
            os.close(before)
            os.close(nothing)


def _is_shared() -> bool:
    try:
        return sys.stderr.fileno() == 2
    except OSError:
        return False
