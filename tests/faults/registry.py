"""Faults: each creates damaged or hostile files and states how a command on them must end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Fault:
    """A command that must end with exit `code`.

    `make` writes files to the current folder and returns the command line. stderr must match the regular expression
    `says`. `holds` checks the folder afterwards. `within` is a line of bash that runs the command, `{}`, in its own
    process. `file_size` is the largest file, in bytes, that the command may write; None means no limit.
    """

    section: str
    name: str
    make: Callable[[], str]
    code: int
    says: str
    holds: Callable[[], bool]
    within: str
    file_size: int | None


FAULTS: list[Fault] = []


def no_condition() -> bool:
    """True."""
    return True


def fault(
    section: str,
    name: str,
    *,
    code: int,
    says: str = "",
    holds: Callable[[], bool] = no_condition,
    within: str = "",
    file_size: int | None = None,
) -> Callable[[Callable[[], str]], Callable[[], str]]:
    """Registers the decorated function as a fault's `make`."""

    def register(make: Callable[[], str]) -> Callable[[], str]:
        FAULTS.append(Fault(section, name, make, code, says, holds, within, file_size))
        return make

    return register


def shape_of(path: str) -> tuple[int, ...]:
    """The shape of a .flo file: (height, width, 2)."""
    from flowcli.flow.formats import flo

    return tuple(flo.read(Path(path)).shape)
