"""TIFF files of several pages, in which microscopes record: each page is a frame."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from flowcli.media.decoding import USUAL
from flowcli.media.images import decode_stored
from flowcli.media.selection import EVERYTHING
from flowcli.media.sources._sequence import ImageSequence
from flowcli.media.tiff import MAGIC, begin_with, pages_of

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
    return len(pages_of(_mapped(path))) > 1


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
        places = pages_of(self._data)
        self._places = {path.with_name(f"{path.name}#{number}"): place for number, place in enumerate(places)}
        pages = list(self._places)
        super().__init__(
            path, pages, name=path.name, rate=rate, selection=selection, decoding=decoding, read=self._read_page
        )

    def _read_page(self, page: Path) -> Stored:
        begin_with(self._places[page], self._data)
        return decode_stored(page, self._data)


def _mapped(path: Path) -> np.memmap[tuple[int], np.dtype[np.uint8]]:
    """The file's bytes, read when they are needed; changes stay in memory."""
    return np.memmap(path, np.uint8, mode="c")


SOURCE = TiffStack
