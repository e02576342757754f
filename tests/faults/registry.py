"""Faults: each makes its hostile files, names a command line, and says how that must end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Fault:
    """`make` fills the current folder and returns the command line; `says` must be found on stderr.

    `holds` looks at the folder afterwards. `within` is a line of bash with the command in the place of {}, which then
    runs in a process of its own.
    """

    section: str
    name: str
    make: Callable[[], str]
    code: int
    says: str
    holds: Callable[[], bool]
    within: str


FAULTS: list[Fault] = []


def nothing_more() -> bool:
    """No further condition."""
    return True


def fault(
    section: str, name: str, *, code: int, says: str = "", holds: Callable[[], bool] = nothing_more, within: str = ""
) -> Callable[[Callable[[], str]], Callable[[], str]]:
    """Registers the function below as a fault."""

    def register(make: Callable[[], str]) -> Callable[[], str]:
        FAULTS.append(Fault(section, name, make, code, says, holds, within))
        return make

    return register


def shape_of(path: str) -> tuple[int, ...]:
    """The size of a flow file: height, width, 2."""
    from flowcli.flow.formats import flo

    return tuple(flo.read(Path(path)).shape)
