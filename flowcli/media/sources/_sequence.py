"""Image files as a source, from a folder or a pattern."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING

from flowcli.errors import FlowcliError, SourceError
from flowcli.media.frames import Frame, FramePair, VideoMeta
from flowcli.media.images import choose_levels, read_stored
from flowcli.media.levels import SAMPLED, notes_of
from flowcli.media.selection import EVERYTHING, nothing_selected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import Self

    from flowcli.media.decoding import Decoding
    from flowcli.media.images import Stored
    from flowcli.media.levels import Levels, Mode
    from flowcli.media.selection import Selection

DEFAULT_RATE = Fraction(25)
"""Frames per second of images where --fps does not state it."""
MAX_BAD_IN_A_ROW = 32
"""Number of consecutive unreadable images after which the rest is skipped."""


class ImageSequence:
    """Images as frames. An unreadable image is a lost frame; an image of another size raises SourceError."""

    def __init__(
        self,
        path: Path,
        images: list[Path],
        *,
        name: str,
        rate: Fraction | None,
        selection: Selection = EVERYTHING,
        decoding: Decoding,
        read: Callable[[Path], Stored] = read_stored,
    ) -> None:
        self.path = path
        self.lost = 0
        self._read = read
        levels = self._levels_for(images, decoding.levels)
        self.notes = notes_of(levels, decoding.levels)
        rate = rate or DEFAULT_RATE
        indices = selection.range_of(len(images), rate)
        if not indices:
            raise nothing_selected(path, selection)
        self._images = images[indices.start : indices.stop]
        names = names_of(images)
        self._names = names[indices.start : indices.stop]
        height, width = read(self._images[0]).samples.shape[:2]
        self.meta = VideoMeta(
            name,
            width,
            height,
            rate,
            len(self._images),
            1 / rate,
            start=indices.start / rate,
            counted=True,
            levels=levels,
            names=names,
        )
        self._skipped = indices.start

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
            image = self._read(path).image(self.meta.levels)
        except FlowcliError as error:
            raise _UnreadableImageError from error
        height, width = image.shape[:2]
        if (width, height) != (self.meta.width, self.meta.height):
            raise SourceError(
                f"{path} is {width} x {height}, but {self._images[0].name} is {self.meta.width} x {self.meta.height}",
                hint="all images must have one size",
            )
        return Frame(
            index,
            index / self.meta.rate,
            image,
            skipped=self._skipped,
            start=self.meta.start,
            path=path,
            name=self._names[index] if self._names else None,
        )

    def _levels_for(self, images: list[Path], levels: Levels | Mode) -> Levels | None:
        """The levels of the whole sequence, whatever part of it is selected, so that all parts are shown alike."""
        if levels == "full":
            return None
        last = len(images) - 1
        places = sorted({last * number // (SAMPLED - 1) for number in range(SAMPLED)})
        readable = self._readable(images[place] for place in places)
        first = next(readable, None)
        if first is None or not first.is_deep:
            return None
        return choose_levels(chain([first], readable), levels)

    def _readable(self, images: Iterable[Path]) -> Iterator[Stored]:
        for image in images:
            with suppress(FlowcliError):
                yield self._read(image)


def names_of(images: list[Path]) -> tuple[str, ...]:
    """The names of images without their endings, or with them where that makes a difference; empty where some agree."""
    for names in ([path.stem for path in images], [path.name for path in images]):
        if len(set(names)) == len(names):
            return tuple(names)
    return ()


class _UnreadableImageError(Exception):
    pass
