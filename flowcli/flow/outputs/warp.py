"""The second frame warped onto the first and blended; hatched red: leaves the frame, blue: not confirmed."""

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
    """Draws the blend, which is sharp where the flow is right."""
    return drawing.warp(estimate.start.image, estimate.end.image, estimate.flow, occluded=estimate.occlusion)


KIND = Picture(draw, Naming("warp", ".png", video=".mp4"))
