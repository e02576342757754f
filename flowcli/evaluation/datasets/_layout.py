"""Helpers for dataset layouts: required folders, files by number, and the pairs of consecutive frames."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flowcli.errors import SourceError, UsageError
from flowcli.evaluation.datasets._reading import INCOMPLETE
from flowcli.evaluation.datasets._values import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from flowcli.evaluation.datasets._values import GroundTruth, Part


def folder(path: Path, *, layout: str) -> Path:
    """The path, if it is a folder; raises UsageError where it does not exist, SourceError where it is not a folder.

    `layout`, the hint of the errors, describes the dataset's root.
    """
    if not path.exists():
        raise UsageError(f"{path} does not exist", hint=layout)
    if not path.is_dir():
        raise SourceError(f"{path} is not a folder", hint=layout)
    return path


def subfolder(root: Path, *names: str, layout: str) -> Path:
    """The first of `names` that is a folder below `root`; raises SourceError where none is."""
    folder(root, layout=layout)
    for name in names:
        if (root / name).is_dir():
            return root / name
    raise SourceError(f"{root} holds no folder {' or '.join(names)}", hint=layout)


def subfolders(path: Path) -> list[Path]:
    """The folders directly below `path` that are not hidden, sorted by name."""
    return sorted(below for below in path.iterdir() if below.is_dir() and not below.name.startswith("."))


def numbered(path: Path, pattern: str) -> dict[int, Path]:
    """The files of a folder whose whole names match, by the number in the pattern's first group, in its order."""
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
    ground_truth: Callable[[int], Callable[[], GroundTruth] | None],
    step: int = 1,
    starts: Iterable[int] = (),
) -> Iterator[Sample]:
    """The pairs of one sequence, each frame with the frame numbered `step` further.

    `ground_truth(number)` is the reader of the flow from that frame, and `starts` are frames that have flow. Raises
    SourceError for a frame that is missing within the sequence or from a pair in `starts`.
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
            ground_truth=ground_truth(number),
            continues=index > 0,
        )


def found(samples: list[Sample], root: Path, *, layout: str) -> list[Sample]:
    """The samples, if there are any; raises SourceError otherwise."""
    if not samples:
        raise SourceError(f"{root} holds no pairs", hint=layout)
    return samples


def no_test(name: str, part: Part) -> None:
    """Raises UsageError where `part` is the test part, for a dataset that has none."""
    if part == "test":
        raise UsageError(f"{name} has no test part", hint="leave --part out")
