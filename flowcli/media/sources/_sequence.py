"""Image files as a source, from a folder or a pattern."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from flowcli.errors import FlowcliError, SourceError
from flowcli.media.frames import Frame, FramePair, VideoMeta
from flowcli.media.images import read_image
from flowcli.media.selection import nothing_selected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Self

    from flowcli.media.selection import Selection

DEFAULT_RATE = Fraction(25)
"""Frames per second of images where --fps does not state it."""
MAX_BAD_IN_A_ROW = 32
"""Number of consecutive unreadable images after which the rest is skipped."""


class ImageSequence:
    """Images as frames. An unreadable image is a lost frame; an image of another size raises SourceError."""

    def __init__(
        self, path: Path, images: list[Path], *, name: str, rate: Fraction | None, selection: Selection
    ) -> None:
        self.path = path
        self.lost = 0
        self.notes: list[str] = []
        rate = rate or DEFAULT_RATE
        indices = selection.range_of(len(images), rate)
        if not indices:
            raise nothing_selected(path, selection)
        self._images = images[indices.start : indices.stop]
        height, width = read_image(self._images[0]).shape[:2]
        self.meta = VideoMeta(
            name, width, height, rate, len(self._images), 1 / rate, start=indices.start / rate, counted=True
        )

    def frames(self) -> Iterator[Frame]:
        """The selected images in order."""
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

    def sample_pairs(self, *, count: int, skip: int) -> list[FramePair]:
        """At most `count` pairs, `skip` images apart, spread over the sequence."""
        starts = len(self._images) - skip
        indices = sorted({starts * (2 * number + 1) // (2 * count) for number in range(count)}) if starts > 0 else []
        pairs = []
        for index in indices:
            try:
                pairs.append(FramePair(self._frame(index), self._frame(index + skip), continues=False))
            except _UnreadableImageError:
                continue
        return pairs

    def close(self) -> None:
        """Does nothing: no file stays open between images."""

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
                hint="all images must have one size",
            )
        return Frame(index, index / self.meta.rate, image)


class _UnreadableImageError(Exception):
    pass
