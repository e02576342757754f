"""What processes that flowcli starts do first."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading


def init_worker() -> None:
    """Leaves it to the parent to end this process, and ends it with the parent, however that dies."""
    # Ctrl-C reaches all processes of a terminal; the parent alone decides what is stopped.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="flowcli-parent", daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
