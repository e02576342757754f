"""Images whose names match a pattern: `frames/%04d.png`, or `frames/*.png` in quotes.

What exists under its own name is meant literally, such as a folder `take [1]`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from flowcli.errors import SourceError, UsageError
from flowcli.media.decoding import USUAL
from flowcli.media.images import EXTENSIONS
from flowcli.media.listing import Listing
from flowcli.media.selection import EVERYTHING
from flowcli.media.sources import WILDCARD, name_of
from flowcli.media.sources._sequence import ImageSequence

if TYPE_CHECKING:
    from fractions import Fraction

    from flowcli.media.decoding import Decoding
    from flowcli.media.selection import Selection

_NUMBER = re.compile(r"%(?:0(\d+))?d")


def accepts(path: Path) -> bool:
    """Whether the path is a pattern and no file has that name."""
    return not path.exists() and WILDCARD.search(str(path)) is not None


class PatternSource(ImageSequence):
    """The images that match a pattern, in natural order; numbers without an image are not lost frames."""

    def __init__(
        self,
        path: Path,
        *,
        rate: Fraction | None = None,
        selection: Selection = EVERYTHING,
        decoding: Decoding = USUAL,
    ) -> None:
        listing = Listing.of(matches(path))
        images = listing.images
        if not images:
            raise UsageError(
                f"{path} matches no image", hint="check the pattern; images are " + ", ".join(sorted(EXTENSIONS))
            )
        if len(images) == 1:
            raise SourceError(f"{path} matches only one image", hint="flow needs two; for two files: `flowcli pair`")
        super().__init__(path, images, name=name_of(path), rate=rate, selection=selection, decoding=decoding)
        self.notes += listing.notes


def matches(pattern: Path) -> list[Path]:
    """The paths that match a pattern."""
    anchor = Path(pattern.anchor)
    found = [anchor]
    for part in pattern.relative_to(anchor).parts:
        found = [path for base in found for path in _matching(base, part)]
    return found


def _matching(base: Path, part: str) -> list[Path]:
    """The paths in a folder that match one part of a pattern."""
    if (base / part).exists():
        return [base / part]
    if not base.is_dir():
        return []
    if _NUMBER.search(part):
        expression = _numbered(part)
        return [path for path in base.glob("*") if expression.fullmatch(path.name)]
    if not WILDCARD.search(part):
        return []
    return list(base.glob(part)) or list(base.glob(part.replace("[", "[[]")))


def _numbered(name: str) -> re.Pattern[str]:
    """The regular expression of a name like `left_%04d.png`: numbers have leading zeros only up to their width.

    A sign is part of the width, as in C, or comes before it, as some programs write it.
    """
    text, *rest = _NUMBER.split(name)
    expression = re.escape(text)
    for width, text in zip(rest[::2], rest[1::2], strict=True):
        # A file name has fewer digits, and the repeat count of a regular expression is limited.
        least = min(int(width or 0), 1000)
        digits = rf"\d{{{least}}}|[1-9]\d{{{least},}}" if width else r"0|[1-9]\d*"
        negative = rf"-\d{{{max(least - 1, 1)}}}|" if least else ""
        expression += f"(?:{negative}-?(?:{digits}))" + re.escape(text)
    return re.compile(expression)


SOURCE = PatternSource
