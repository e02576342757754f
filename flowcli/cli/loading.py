"""What a command does before the libraries that compute are loaded, which takes seconds."""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flowcli.errors import UsageError
from flowcli.media.sources import STDIN, WILDCARD, check_name
from flowcli.system.terminal import CLEAR, is_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STATUS = "loading libraries ..."


@contextmanager
def loading(*inputs: Path, quiet: bool = False) -> Iterator[None]:
    """Shows that libraries are loading while the block imports them, on a terminal only, and removes it afterwards.

    If garbage is not collected meanwhile, it is from then on, but not among what the libraries created. Raises
    UsageError before the block where an input does not exist; patterns and pipes are checked later.
    """
    for path in inputs:
        check_exists(path)
    shown = not quiet and is_terminal(sys.stderr)
    if shown:
        print(STATUS, end="", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        if shown:
            print(CLEAR, end="", file=sys.stderr, flush=True)
        if not gc.isenabled():
            gc.freeze()
            gc.enable()


def check_exists(path: Path) -> None:
    """Raises UsageError for a path that is neither a file, a folder, a pattern nor standard input."""
    check_name(path)
    if not path.exists() and str(path) != STDIN and not WILDCARD.search(str(path)):
        raise UsageError(f"{path} does not exist", hint="check the path")
