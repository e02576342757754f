"""Images whose names fit a pattern: `frames/%04d.png`, or `frames/*.png` in quotes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from flowcli.errors import SourceError, UsageError
from flowcli.media.images import EXTENSIONS, in_natural_order
from flowcli.media.selection import EVERYTHING
from flowcli.media.sources import WILDCARD, name_of
from flowcli.media.sources._sequence import Sequence

if TYPE_CHECKING:
    from fractions import Fraction

    from flowcli.media.selection import Selection

_NUMBER = re.compile(r"%(?:0(\d+))?d")


def accepts(path: Path) -> bool:
    """True for patterns, unless a file really has that name."""
    return not path.exists() and WILDCARD.search(str(path)) is not None


class PatternSource(Sequence):
    """The images that fit a pattern, in natural order; numbers that are left out do not count."""

    def __init__(
        self,
        path: Path,
        *,
        rate: Fraction | None = None,
        selection: Selection = EVERYTHING,
        deinterlace: bool = False,
    ) -> None:
        images = matches(path)
        if not images:
            raise UsageError(
                f"{path} fits no image", hint="check the pattern; images are " + ", ".join(sorted(EXTENSIONS))
            )
        if len(images) == 1:
            raise SourceError(f"{path} fits only one image", hint="flow needs two; for pictures: `flowcli pair`")
        super().__init__(path, images, name=name_of(path), rate=rate, selection=selection)


def matches(pattern: Path) -> list[Path]:
    """The visible images that fit a pattern, 2 before 10."""
    if _NUMBER.search(pattern.name):
        fits = _numbered(pattern.name)
        return in_natural_order(path for path in pattern.parent.glob("*") if fits.fullmatch(path.name))
    parts = pattern.parts
    fixed = next(number for number, part in enumerate(parts) if WILDCARD.search(part))
    return in_natural_order(Path(*parts[:fixed]).glob(str(Path(*parts[fixed:]))))


def _numbered(name: str) -> re.Pattern[str]:
    """What fits a name like `left_%04d.png`: numbers have no zeros before them but those that fill their width."""
    text, *rest = _NUMBER.split(name)
    fits = re.escape(text)
    for width, text in zip(rest[::2], rest[1::2], strict=True):
        # No name has so many digits, and regular expressions count no further.
        least = min(int(width or 0), 1000)
        digits = rf"\d{{{least}}}|[1-9]\d{{{least},}}" if width else r"0|[1-9]\d*"
        fits += f"(?:{digits})" + re.escape(text)
    return re.compile(fits)


SOURCE = PatternSource
