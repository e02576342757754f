"""A drawn picture and the file that it is written to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowcli.media.pyav import encode_gif
from flowcli.system.files import write_whole
from flowcli.system.opencv import write_png

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from flowcli.inspection.reading import Pixel


@dataclass(frozen=True, eq=False)
class PictureFile:
    """A file of an inspection: one image as .png, or one or several as .gif; `name` is relative to its folder.

    A GIF shows each image for `seconds`, and the last one for `hold` seconds more.
    """

    name: str
    images: Sequence[NDArray[np.uint8]]
    seconds: float = 0.5
    hold: float = 1.5

    def write(self, folder: Path) -> None:
        """Writes the file into the folder."""
        path = folder / self.name
        if path.suffix == ".png":
            (image,) = self.images
            write_png(path, image)
        else:
            write_whole(path, encode_gif(self.images, seconds=self.seconds, hold=self.hold))


def place_of(pixel: Pixel) -> str:
    """The name of the folder for the pictures of one pixel."""
    return f"pixel_{pixel.x}_{pixel.y}"
