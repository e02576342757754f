"""The first frame, tinted with flow colours where it moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcli.flow import drawing
from flowcli.flow.kinds import Picture
from flowcli.flow.naming import Naming

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from flowcli.flow.drawing import Style
    from flowcli.flow.estimate import Estimate


def draw(estimate: Estimate, style: Style) -> NDArray[np.uint8]:
    """Tints the frame on whose grid the flow lies."""
    flow = estimate.shown(stabilise=style.stabilise)
    return style.finish(drawing.overlay(estimate.start.image, flow, scale=style.scale))


KIND = Picture(draw, Naming("overlay", ".png", video=".mp4"))
