"""The same mask as grey PNGs, a file per pair: 255 where the second frame hides what the first shows, else 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcli.flow.kinds import Picture
from flowcli.flow.naming import Naming
from flowcli.flow.outputs import occlusion

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from flowcli.flow.drawing import Style
    from flowcli.flow.estimate import Estimate


def draw(estimate: Estimate, style: Style) -> NDArray[np.uint8]:
    """Draws the mask of `occlusion` in one channel, as data sets store it."""
    return occlusion.draw(estimate, style)[..., 0]


KIND = Picture(draw, Naming("occluded", ".png"))
