"""The first frame and its flow in colour, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcli.flow.colour import colour_flow
from flowcli.flow.drawing import side_by_side
from flowcli.flow.kinds import Picture
from flowcli.flow.naming import Naming

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from flowcli.flow.drawing import Style
    from flowcli.flow.estimate import Estimate


def draw(estimate: Estimate, style: Style) -> NDArray[np.uint8]:
    """Draws the frame on the left and its flow on the right."""
    coloured = colour_flow(estimate.shown(stabilise=style.stabilise), scale=style.scale)
    return side_by_side(estimate.start.image, style.finish(coloured))


KIND = Picture(draw, Naming("side", ".png", video=".mp4"))
