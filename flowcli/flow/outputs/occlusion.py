"""White where backward flow does not confirm forward flow, grey where it leaves the frame; computes both."""

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


def draw(estimate: Estimate, _: Style) -> NDArray[np.uint8]:
    """Draws the mask of the forward-backward check; raises ValueError without both directions."""
    if estimate.occlusion is None:
        raise ValueError("occlusion needs flow of both directions")
    return drawing.occlusion(estimate.occlusion, estimate.flow)


KIND = Picture(draw, Naming("occlusion", ".png", video=".mp4"))
