"""Arrows along the flow, on the first frame; --arrow-grid and --arrow-min choose them."""

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
    """Draws arrows over the frame on whose grid the flow lies."""
    return style.finish(
        drawing.arrows(
            estimate.start.image,
            estimate.shown(stabilise=style.stabilise),
            scale=style.scale,
            spacing=style.arrow_grid,
            shortest=style.arrow_min,
        )
    )


KIND = Picture(draw, Naming("arrows", ".png", video=".mp4"))
