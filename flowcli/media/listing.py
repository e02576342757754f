"""The images among files as a sequence, in the order of the numbers in their names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from flowcli.media.images import in_natural_order
from flowcli.media.kinds import passed_over

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

_NUMBER = re.compile(r"([-+](?=\d))?(\d+)(?:\.(\d+))?")
_WHOLE_NUMBER = re.compile(r"([-+](?=\d))?(\d+)")
_CHAIN = re.compile(r"\d\.\d+\.\d")


@dataclass(frozen=True)
class Listing:
    """Images in order, and what is odd about them, a sentence each."""

    images: list[Path]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, files: Iterable[Path]) -> Listing:
        """The images among files that are not hidden; the notes name the files of other kinds."""
        visible = [path for path in files if not path.name.startswith(".") and path.is_file()]
        plain = in_natural_order(visible)
        images = in_order_of_numbers(plain)
        notes = (
            passed_over(path for path in visible if path not in plain),
            _order_note(images) if images != plain else None,
            _twice_note(images),
            _gap_note(images),
        )
        return cls(images, tuple(note for note in notes if note))


def in_order_of_numbers(paths: Sequence[Path]) -> list[Path]:
    """Paths in natural order, sorted anew by the numbers in their names, which may have signs and decimals.

    A `-` or `+` is a sign at the start of a name, after any character but a letter or digit, and where another name has
    the same text directly before its number: -2 before -1 before 0. A `.` between digits is a decimal point where the
    digits after it make no counter: 0.25 before 0.5, but 1.9 before 1.10.
    """
    stems = [path.stem for path in paths]
    heads = {stem[: match.start()] for stem in stems for match in re.finditer(r"\d+", stem)}
    decimal = _has_decimals(stems)
    keys = {path: _key(path, heads, decimal=decimal) for path in paths}
    if not decimal and not any(digits.startswith(("-", "+")) for key in keys.values() for *_, digits in key):
        return list(paths)
    folders = {path.parent: number for number, path in reversed(list(enumerate(paths)))}
    return sorted(paths, key=lambda path: (folders[path.parent], keys[path]))


def _has_decimals(stems: Sequence[str]) -> bool:
    fractions = {match[3] for stem in stems for match in _NUMBER.finditer(stem) if match[3]}
    if not fractions or any(_CHAIN.search(stem) for stem in stems):
        return False
    if len({len(digits) for digits in fractions}) == 1:
        return True
    # Decimals are written without zeros at their ends, which every tenth number of a counter has.
    if any(digits.endswith("0") and len(digits) > 1 for digits in fractions):
        return False
    steps = {later - earlier for earlier, later in pairwise(sorted({int(digits) for digits in fractions}))}
    return len(fractions) < 3 or len(steps) > 1


def _key(path: Path, heads: Collection[str], *, decimal: bool) -> list[tuple[int, Fraction, str]]:
    """The texts and numbers of a name in turn; numbers come before texts."""
    stem = path.stem
    parts: list[tuple[int, Fraction, str]] = []
    place = 0
    for match in (_NUMBER if decimal else _WHOLE_NUMBER).finditer(stem):
        start = match.start()
        signed = start == 0 or not stem[start - 1].isalnum() or stem[:start] in heads
        begin = start if signed or not match[1] else start + 1
        if begin > place:
            parts.append(_text(stem[place:begin]))
        digits = stem[begin : match.end()]
        parts.append((0, Fraction(digits), digits))
        place = match.end()
    return [*parts, _text(stem[place:] + path.suffix)]


def _text(text: str) -> tuple[int, Fraction, str]:
    # A text that begins with a sign is not to look like a number.
    return 1, Fraction(0), f" {text.lower()}"


def _order_note(images: Sequence[Path]) -> str:
    return (
        "the images are in the order of their numbers, with signs and decimals, "
        f"from {images[0].name} to {images[-1].name}"
    )


def _twice_note(images: Sequence[Path]) -> str | None:
    def place(path: Path) -> str:
        return str(path.with_suffix(""))

    groups = [list(group) for _, group in groupby(sorted(images, key=place), key=place)]
    twice = [group for group in groups if len(group) > 1]
    if not twice:
        return None
    endings = sorted({path.suffix for group in twice for path in group})
    return (
        f"{len(twice)} of {len(groups)} names occur as {' and '.join(endings)}, each image a frame of its own; "
        f"for one kind: '{twice[0][0].parent / f'*{endings[-1]}'}'"
    )


def _gap_note(images: Sequence[Path]) -> str | None:
    """Which numbers are missing; None where the names do not count up in equal steps for the most part."""
    names = [re.split(r"(\d+)", path.name) for path in images]
    if len({len(parts) for parts in names}) > 1 or len({path.parent for path in images}) > 1:
        return None
    changing = [place for place, column in enumerate(zip(*names, strict=True)) if len(set(column)) > 1]
    # Numbers stand at odd places, between texts.
    if len(changing) != 1 or changing[0] % 2 == 0:
        return None
    (place,) = changing
    numbers = [int(parts[place]) for parts in names]
    steps = [later - earlier for earlier, later in pairwise(numbers)]
    step = min(steps)
    if step <= 0 or 2 * steps.count(step) <= len(steps) or any(one % step for one in steps):
        return None
    missing = sum(steps) // step - len(steps)
    if missing == 0:
        return None
    gap = next(index for index, one in enumerate(steps) if one > step)
    digits = str(numbers[gap] + step).zfill(len(names[gap][place]))
    first = "".join([*names[gap][:place], digits, *names[gap][place + 1 :]])
    numbers_are = "number is" if missing == 1 else "numbers are"
    return f"{missing} {numbers_are} missing among the images, first {first}: images beside a gap count as consecutive"
