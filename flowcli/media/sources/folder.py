"""Folders of images, in natural order."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from flowcli.errors import SourceError
from flowcli.media.decoding import USUAL
from flowcli.media.images import EXTENSIONS
from flowcli.media.kinds import is_video
from flowcli.media.listing import Listing
from flowcli.media.selection import EVERYTHING
from flowcli.media.sources._sequence import ImageSequence

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path

    from flowcli.media.decoding import Decoding
    from flowcli.media.selection import Selection


def accepts(path: Path) -> bool:
    """Whether the path is a folder."""
    return path.is_dir()


class FolderSource(ImageSequence):
    """The images of one folder."""

    def __init__(
        self,
        path: Path,
        *,
        rate: Fraction | None = None,
        selection: Selection = EVERYTHING,
        decoding: Decoding = USUAL,
    ) -> None:
        files = files_in(path)
        listing = Listing.of(files)
        images = listing.images
        if len(images) < 2:
            raise SourceError(
                f"{path} has {'only one image' if images else 'no images'}",
                hint=f"for its videos: `flowcli batch {quote(str(path))}`"
                if any(map(is_video, files))
                else "a folder needs two or more of " + ", ".join(sorted(EXTENSIONS)),
            )
        super().__init__(path, images, name=path.resolve().name, rate=rate, selection=selection, decoding=decoding)
        self.notes += listing.notes


def files_in(folder: Path) -> list[Path]:
    """The paths in a folder; raises SourceError where it cannot be read."""
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise SourceError(f"{folder} cannot be read: {error.strerror}", hint="check its permissions") from error


SOURCE = FolderSource
