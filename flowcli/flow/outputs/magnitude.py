"""Speed alone, from violet for no motion to yellow for fast."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcli.flow.colour import colour_speed
from flowcli.flow.kinds import Picture
from flowcli.flow.naming import Naming

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from flowcli.flow.drawing import Style
    from flowcli.flow.estimate import Estimate


def draw(estimate: Estimate, style: Style) -> NDArray[np.uint8]:
    """Draws speed in the colours of viridis."""
    flow = estimate.shown(stabilise=style.stabilise)
    return style.finish(colour_speed(flow, scale=style.scale), speed=True)


KIND = Picture(draw, Naming("magnitude", ".png", video=".mp4"))
