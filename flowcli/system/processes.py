"""The initialisation of worker processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading


def init_worker() -> None:
    """Ignores SIGINT and SIGHUP in this process, and ends it when its parent ends."""
    # Ctrl-C and HUP reach every process of a terminal; the parent decides which of them to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="flowcli-parent", daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
