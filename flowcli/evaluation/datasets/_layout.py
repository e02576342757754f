"""Where a dataset's files lie: folders that must be there, frames by number, and the pairs that they make."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flowcli.errors import SourceError, UsageError
from flowcli.evaluation.datasets._reading import INCOMPLETE
from flowcli.evaluation.datasets._values import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from flowcli.evaluation.datasets._values import Part, Truth


def folder(path: Path, *, layout: str) -> Path:
    """The folder itself; `layout` says what the dataset's root holds.

    Raises `UsageError` where there is nothing of that name, `SourceError` where it is no folder.
    """
    if not path.exists():
        raise UsageError(f"{path} does not exist", hint=layout)
    if not path.is_dir():
        raise SourceError(f"{path} is not a folder", hint=layout)
    return path


def subfolder(root: Path, *names: str, layout: str) -> Path:
    """The first of `names` that is a folder below `root`; raises where there is none."""
    folder(root, layout=layout)
    for name in names:
        if (root / name).is_dir():
            return root / name
    raise SourceError(f"{root} holds no folder {' or '.join(names)}", hint=layout)


def subfolders(path: Path) -> list[Path]:
    """The folders directly below `path`, by name, none of them hidden."""
    return sorted(below for below in path.iterdir() if below.is_dir() and not below.name.startswith("."))


def numbered(path: Path, pattern: str) -> dict[int, Path]:
    """The files of a folder whose whole name matches, in order of the number that the pattern's group catches."""
    found = {}
    for file in path.iterdir() if path.is_dir() else ():
        match = re.fullmatch(pattern, file.name)
        if match:
            found[int(match[1])] = file
    return dict(sorted(found.items()))


def consecutive(
    frames: dict[int, Path],
    *,
    name: str,
    group: str,
    truth: Callable[[int], Callable[[], Truth] | None],
    step: int = 1,
    starts: Iterable[int] = (),
) -> Iterator[Sample]:
    """The pairs of one sequence, each frame with the one `step` later; `truth(number)` reads what starts there.

    Raises `SourceError` for a frame that is missing in between, or where a pair is known to start.
    """
    needed = set(starts) if frames else set()
    numbers = sorted({*frames, *needed}, reverse=step < 0)
    for index, number in enumerate(numbers):
        if number == numbers[-1] and number not in needed:
            return
        after = number + step
        for wanted in (number, after):
            if wanted not in frames:
                raise SourceError(
                    f"{next(iter(frames.values())).parent} has no frame {wanted} of pair {number}, {after}",
                    hint=INCOMPLETE,
                )
        yield Sample(
            name=f"{name}/{frames[number].stem}",
            group=group,
            first=frames[number],
            second=frames[after],
            truth=truth(number),
            continues=index > 0,
        )


def found(samples: list[Sample], root: Path, *, layout: str) -> list[Sample]:
    """The samples, if there are any; raises `SourceError` otherwise."""
    if not samples:
        raise SourceError(f"{root} holds no pairs", hint=layout)
    return samples


def no_test(name: str, part: Part) -> None:
    """Refuses the test part of a dataset that has none."""
    if part == "test":
        raise UsageError(f"{name} has no test part without truth", hint="leave --part out")
