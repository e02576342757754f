"""The same mask as a PNG per pair: 255 where hidden, else 0.

Hidden: the second frame does not show what the first one does.
"""

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
