"""The three standard streams, as flowcli needs them: open, able to say anything, and kept apart from native code."""

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


def take_over() -> None:
    """Opens to nothing what the caller closed, has every letter come out somehow, and gives stderr a number of its own.

    A file that is opened later would otherwise get the number of what is closed, and with it all that is printed.
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
    if os.name != "nt":  # whose terminals are no files
        encoding = sys.stderr.encoding if sys.stderr else "utf-8"
        # Without a buffer, which could not be emptied in the end where stderr is full.
        sys.stderr = io.TextIOWrapper(
            io.FileIO(os.dup(2), "w"), encoding=encoding, errors="backslashreplace", write_through=True
        )


@contextmanager
def hushed() -> Iterator[None]:
    """What native code writes to stderr meanwhile is not seen, where `take_over` has kept Python's own apart."""
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
