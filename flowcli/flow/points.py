"""Points (x, y) in pixels of a frame, from the command line or from a file."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flowcli.errors import SourceError, UsageError
from flowcli.flow.formats.npy import read_array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float
    from numpy.typing import NDArray

    Points = Float[NDArray[np.float32], "points 2"]

HINT = "write points like '120,80;300.5,200', or name a file with one on each line"
_LINE = "write x,y on each line, or name the columns x and y in the first"


def parse_points(text: str, *, height: int, width: int) -> Points:
    """Points of a frame of that size, from `x,y;x,y` or from a file, `points.csv` or `@points.csv`.

    Raises UsageError for what are no points, and for a point outside of the frame.
    """
    path = file_of(text)
    points = read_points(path) if path else [listed(part) for part in text.split(";") if part.strip()]
    if not points:
        raise UsageError(f"{path or '--points'} names no point", hint=HINT)
    for number, (x, y) in enumerate(points, 1):
        if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
            where = f" (number {number} of {path})" if path else ""
            raise UsageError(
                f"the point {x:g},{y:g}{where} lies outside of the frames, {width} x {height}", hint="x first, from 0"
            )
    return np.array(points, np.float32)


def file_of(text: str) -> Path | None:
    """The file that an option's value names, after an `@` or as a path that exists; None for a list of points."""
    path = Path(text.removeprefix("@"))
    if os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises where a name is too long
        return path
    if text.startswith("@"):
        raise UsageError(f"{path} is not a file", hint=HINT)
    return None


def read_points(path: Path) -> list[tuple[float, float]]:
    """The points in a text file, one on each line, or in an .npy array (points, 2); raises UsageError or SourceError.

    Columns are separated by commas, semicolons, tabs or spaces. A first line may name them; without one there are two.
    Empty lines and those that start with # are ignored.
    """
    if path.suffix.lower() == ".npy":
        array = read_array(path, axes=2, kinds="fiu", kind="an .npy file of shape (points, 2)")
        if array.shape[1] != 2:
            raise SourceError(f"{path} is {array.shape}", hint="give an array of shape (points, 2)")
        return [(float(x), float(y)) for x, y in array.tolist()]
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} cannot be read as text", hint=_LINE) from error
    numbered = [
        (number, cells(line)) for number, line in enumerate(lines, 1) if line.strip() and line.lstrip()[0] != "#"
    ]
    columns, count = (0, 1), 2
    if numbered and not any(is_number(cell) for cell in numbered[0][1]):
        names = [name.lower() for name in numbered.pop(0)[1]]
        if not {"x", "y"} <= set(names):
            raise UsageError(f"{path} has no columns x and y, but {', '.join(names)}", hint=_LINE)
        columns, count = (names.index("x"), names.index("y")), len(names)
    points = []
    for number, row in numbered:
        values = [row[column] for column in columns] if len(row) == count else []
        if not values or not all(is_number(value) for value in values):
            raise UsageError(f"line {number} of {path} is not a point: {','.join(row)[:40]!r}", hint=_LINE)
        points.append((float(values[0]), float(values[1])))
    return points


def cells(line: str) -> Sequence[str]:
    """The cells of a line, by its commas, semicolons, tabs or spaces."""
    separator = next((each for each in ",;\t" if each in line), None)
    return [cell.strip().strip('"') for cell in line.strip().split(separator)]


def is_number(text: str) -> bool:
    """Whether a cell holds a finite number."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def listed(part: str) -> tuple[float, float]:
    """The point that `x,y` stands for; raises UsageError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*,\s*(\d+(?:\.\d+)?)", part.strip())
    if not match:
        raise UsageError(f"{part.strip()!r} is not a point", hint=HINT)
    return float(match[1]), float(match[2])
