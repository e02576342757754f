"""A picture that is drawn and not yet written."""

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
    """Images under the name of a file in the inspection's folder: one as .png, or one or several as .gif.

    A GIF shows each for `seconds` and rests on its last one for `hold` more.
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
    """The folder of a pixel's own pictures."""
    return f"pixel_{pixel.x}_{pixel.y}"
