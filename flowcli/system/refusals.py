"""What the system refuses to a program: disk space, memory, threads, and libraries."""

from __future__ import annotations

import errno

from flowcli.errors import DeviceError, FlowcliError, OutputError

UNMAPPED = "failed to map segment"
"""What the loader of libraries says where a library has no room in the address space."""

OUT_OF_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "Insufficient memory",
    "could not create a primitive",
)
"""What torch, OpenCV and, where its compiler gets no memory for code, oneDNN say where the system has no memory."""

RAISE_LIMIT = "raise the memory limit that `ulimit -v` shows"


def refused_by_system(error: Exception) -> FlowcliError | None:
    """The failure to report for a lack of disk space, memory, threads or a library; None for any other error."""
    number, text = error.errno if isinstance(error, OSError) else None, str(error)
    if number == errno.ENOSPC:
        return OutputError("the disk is full", hint="free some space, or write elsewhere")
    if (
        number in {errno.ENOMEM, errno.EAGAIN}
        or isinstance(error, MemoryError)
        or any(words in text for words in (*OUT_OF_MEMORY, "start new thread"))
    ):
        hint = "raise the limits that `ulimit -a` shows, or use --max-side to compute at a smaller size"
        return DeviceError("the system has no more memory or no more threads", hint=hint)
    if UNMAPPED in text or (isinstance(error, ImportError) and not isinstance(error, ModuleNotFoundError)):
        hint = f"{RAISE_LIMIT}, or install flowcli again"
        return DeviceError(f"a library cannot be loaded: {reason(error)}", hint=hint)
    return None


def reason(error: Exception) -> str:
    """The last line of an error of loading, which has the cause where others, as NumPy's, give advice; or its kind."""
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__
