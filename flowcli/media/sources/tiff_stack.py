"""TIFF files of several pages, in which microscopes record: each page is a frame."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from flowcli.media.decoding import USUAL
from flowcli.media.images import decode_stored
from flowcli.media.selection import EVERYTHING
from flowcli.media.sources._sequence import ImageSequence
from flowcli.media.tiff import MAGIC, Pages, begin_with

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path

    from flowcli.media.decoding import Decoding
    from flowcli.media.images import Stored
    from flowcli.media.selection import Selection


def accepts(path: Path) -> bool:
    """Whether the file is a TIFF of two pages or more; thumbnails are none."""
    if not path.is_file() or not os.access(path, os.R_OK):
        return False
    with path.open("rb") as file:
        if not file.read(4).startswith(MAGIC):
            return False
    return len(Pages.of(_mapped(path)).places) > 1


class TiffStack(ImageSequence):
    """The pages of a TIFF in their order, numbered from 0."""

    def __init__(
        self,
        path: Path,
        *,
        rate: Fraction | None = None,
        selection: Selection = EVERYTHING,
        decoding: Decoding = USUAL,
    ) -> None:
        self._data = _mapped(path)
        pages = Pages.of(self._data)
        # A page beyond the end of the file is a lost frame; how many were to follow it is unknown.
        places = [*pages.places, len(self._data)] if pages.is_cut else pages.places
        self._places = {path.with_name(f"{path.name}#{number}"): place for number, place in enumerate(places)}
        images = list(self._places)
        super().__init__(
            path, images, name=path.name, rate=rate, selection=selection, decoding=decoding, read=self._read_page
        )
        if pages.is_cut:
            self.notes.append(f"the file is cut off: how many pages follow the first {len(pages.places)} is unknown")

    def _read_page(self, page: Path) -> Stored:
        begin_with(self._places[page], self._data)
        return decode_stored(page, self._data)


def _mapped(path: Path) -> np.memmap[tuple[int], np.dtype[np.uint8]]:
    """The file's bytes, read when they are needed; changes stay in memory."""
    return np.memmap(path, np.uint8, mode="c")


SOURCE = TiffStack
