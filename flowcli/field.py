"""What comes out of the estimator: flow for one pair of frames."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Bool, Float
    from numpy.typing import NDArray
    from torch import Tensor

    from flowcli.frames import FramePair


@dataclass(frozen=True, eq=False)
class Estimate:
    """Flow of one pair, on the device until a sink asks for NumPy.

    `forward` (2, height, width) is the displacement first → second in source pixels on the first frame's grid,
    channel 0 right, channel 1 down. `backward` is second → first on the second frame's grid. `occluded` (height,
    width) marks pixels of the first frame that the second does not show. `iterations` were run; `warm` says
    whether they began from an earlier pair's flow.
    """

    pair: FramePair
    forward: Float[Tensor, "2 height width"]
    iterations: int
    warm: bool
    backward: Float[Tensor, "2 height width"] | None = None
    occluded: Bool[Tensor, "height width"] | None = None

    @cached_property
    def flow(self) -> NDArray[np.float32]:
        """Forward flow as (height, width, 2) float32, in source pixels."""
        return self.forward.permute(1, 2, 0).contiguous().cpu().numpy()
