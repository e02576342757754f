"""Flow in colour, a PNG per pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcli.flow.colour import colour_flow
from flowcli.flow.kinds import Picture
from flowcli.flow.naming import Naming

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from flowcli.flow.drawing import Style
    from flowcli.flow.estimate import Estimate


def draw(estimate: Estimate, style: Style) -> NDArray[np.uint8]:
    """Draws direction as hue and speed as saturation."""
    return style.finish(colour_flow(estimate.shown(stabilise=style.stabilise), scale=style.scale))


KIND = Picture(draw, Naming("flow", ".png"))
