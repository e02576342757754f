"""The time that the user has waited."""

import time

STARTED = time.monotonic()
"""When the process began: the program imports this module first."""


def seconds_waited() -> float:
    """Seconds since the process began, the loading of libraries included."""
    return time.monotonic() - STARTED
