"""The log file, which gets a copy of every message."""

from __future__ import annotations

import contextlib
import logging
import re
import traceback
from pathlib import Path

from flowcli.errors import OutputError, UsageError

LOG = logging.getLogger("flowcli")
LOG.propagate = False


def log_traceback() -> None:
    """Logs the exception being handled, if a log is open and memory is left; bytes that are not UTF-8 are escaped."""
    if LOG.isEnabledFor(logging.DEBUG):
        with contextlib.suppress(MemoryError):
            LOG.debug(traceback.format_exc().encode(errors="backslashreplace").decode())


class LogFile(logging.FileHandler):
    """A log whose failures do not stop a run."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Does nothing: closing the file writes again what could not be written."""


def open_log(path: Path) -> None:
    """Appends every later message to a file.

    Raises OutputError where it cannot be written, UsageError where it exists and is not a log of flowcli.
    """
    try:
        if path.is_file():
            with path.open("rb") as file:
                beginning = file.read(11)
            if beginning and not re.match(rb"\d{4}-\d\d-\d\d ", beginning):
                raise UsageError(f"{path} is not a log of flowcli", hint="choose another --log-file")
        handler = LogFile(path, encoding="utf-8")
    except OSError as error:
        raise log_error(path, error) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    LOG.addHandler(handler)
    LOG.setLevel(logging.DEBUG)


def close_log() -> None:
    """Closes the log file, if there is one; raises OutputError where it could not be written."""
    LOG.setLevel(logging.NOTSET)
    for handler in list(LOG.handlers):
        LOG.removeHandler(handler)
        try:
            handler.close()
        except OSError as error:
            raise log_error(Path(getattr(handler, "baseFilename", "the log")), error) from error


def log_error(path: Path, error: OSError) -> OutputError:
    """The error of a log file that cannot be written."""
    reason = (error.strerror or str(error)).lower()
    return OutputError(f"{path} cannot be written: {reason}", hint="choose another --log-file")
