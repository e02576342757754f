"""Flow in colour, as an H.264 video."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcli.flow.kinds import Picture
from flowcli.flow.naming import Naming
from flowcli.flow.outputs import png

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from flowcli.flow.drawing import Style
    from flowcli.flow.estimate import Estimate


def draw(estimate: Estimate, style: Style) -> NDArray[np.uint8]:
    """Draws the picture of `png`."""
    return png.draw(estimate, style)


KIND = Picture(draw, Naming("flow", ".mp4", video=".mp4", pairs=False))
