"""The flow of a whole video as one NumPy array (pairs, height, width, 2); of a pair (height, width, 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcli.flow.formats.stack import StackFile, read_stack
from flowcli.flow.kinds import ArrayFile
from flowcli.flow.naming import Naming

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from flowcli.flow.naming import Part


def join(parts: Sequence[Part], path: Path) -> None:
    """Concatenates the arrays of several files."""
    whole: StackFile | None = None
    for part in parts:
        for flow in (flows := read_stack(part.path)):
            whole = whole or StackFile(path, half=flow.dtype.itemsize == 2)
            whole.add(flow)
        del flows
    if whole:
        whole.close()


KIND = ArrayFile(StackFile, Naming("flow", ".npy", video=".npy"), join)
