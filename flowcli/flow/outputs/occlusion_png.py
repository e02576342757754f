"""Occlusion as grey PNGs: 255 where not confirmed or out, else 0.

Out is flow that leaves the frame; flow that the backward flow does not confirm is mostly hidden, or wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.flow.kinds import Picture
from flowcli.flow.naming import Naming
from flowcli.flow.outputs.occlusion import occlusion_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flowcli.flow.drawing import Style
    from flowcli.flow.estimate import Estimate


def draw(estimate: Estimate, _: Style) -> NDArray[np.uint8]:
    """Draws the mask in one channel, as data sets store it."""
    return np.where(occlusion_of(estimate), np.uint8(255), np.uint8(0))


KIND = Picture(draw, Naming("occluded", ".png"))
