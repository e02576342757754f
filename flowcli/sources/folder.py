"""A folder of images, in natural order."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from flowcli.errors import FlowcliError, SourceError
from flowcli.frames import Frame, FramePair, VideoMeta
from flowcli.sources._images import EXTENSIONS, read_image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Self

DEFAULT_RATE = Fraction(25)
"""Frames per second of images, unless told otherwise."""
MAX_BAD_IN_A_ROW = 32
"""Images in a row that may be unreadable before the folder is given up."""


def accepts(path: Path) -> bool:
    """True for folders."""
    return path.is_dir()


class Source:
    """The images of one folder as frames. An unreadable image is a lost frame; another size is an error."""

    def __init__(self, path: Path, *, rate: Fraction | None = None) -> None:
        self.path = path
        self.lost = 0
        self._images = images_in(path)
        if len(self._images) < 2:
            raise SourceError(
                f"{path} has {'only one image' if self._images else 'no images'}",
                hint="a folder needs two or more of " + ", ".join(sorted(EXTENSIONS)),
            )
        height, width = read_image(self._images[0]).shape[:2]
        rate = rate or DEFAULT_RATE
        self.meta = VideoMeta(path.resolve().name, width, height, rate, len(self._images), 1 / rate)

    def frames(self) -> Iterator[Frame]:
        """All images in order."""
        self.lost = bad_in_a_row = 0
        for index in range(len(self._images)):
            try:
                frame = self._frame(index)
            except _UnreadableImageError:
                self.lost += 1
                bad_in_a_row += 1
                if bad_in_a_row == MAX_BAD_IN_A_ROW:
                    return
                continue
            bad_in_a_row = 0
            yield frame

    def glimpse(self, *, count: int, skip: int) -> list[FramePair]:
        """At most `count` pairs, `skip` images apart, spread over the folder."""
        starts = len(self._images) - skip
        chosen = sorted({starts * (2 * number + 1) // (2 * count) for number in range(count)}) if starts > 0 else []
        pairs = []
        for index in chosen:
            try:
                pairs.append(FramePair(self._frame(index), self._frame(index + skip), continues=False))
            except _UnreadableImageError:
                continue
        return pairs

    def close(self) -> None:
        """Nothing stays open between images."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _frame(self, index: int) -> Frame:
        path = self._images[index]
        try:
            image = read_image(path)
        except FlowcliError as error:
            raise _UnreadableImageError from error
        height, width = image.shape[:2]
        if (width, height) != (self.meta.width, self.meta.height):
            raise SourceError(
                f"{path} is {width} x {height}, but {self._images[0].name} is {self.meta.width} x {self.meta.height}",
                hint="images of one folder must have one size",
            )
        return Frame(index, index / self.meta.rate, image)


class _UnreadableImageError(Exception):
    pass


def images_in(folder: Path) -> list[Path]:
    """The visible images of a folder, 2 before 10."""
    try:
        files = list(folder.iterdir())
    except OSError as error:
        raise SourceError(f"{folder} cannot be read: {error.strerror}", hint="check its permissions") from error
    found = (file for file in files if file.suffix.lower() in EXTENSIONS and not file.name.startswith("."))
    return sorted((file for file in found if file.is_file()), key=_natural)


def _natural(path: Path) -> list[tuple[int, int, str]]:
    pieces = re.findall(r"\d+|\D+", path.name)
    return [(0, int(piece), piece) if piece.isdecimal() else (1, 0, piece.lower()) for piece in pieces]
