"""Occlusion, found where forward and backward flow disagree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raft_core.grid import warp_by

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

RELATIVE = 0.01
ABSOLUTE = 0.5


def find_occluded(
    forward: Float[Tensor, "batch 2 height width"],
    backward: Float[Tensor, "batch 2 height width"],
    *,
    relative: float = RELATIVE,
    absolute: float = ABSOLUTE,
) -> Bool[Tensor, "batch height width"]:
    """Pixels of the first frame whose flow is not confirmed by the forward-backward check.

    The second frame does not show most of them; the others are where either flow is wrong, such as on even surfaces.
    A pixel is confirmed if |f + b|² <= relative · (|f|² + |b|²) + absolute, in px², where b is the backward flow at the
    point that f leads to (Sundaram, Brox and Keutzer, ECCV 2010). Pixels that leave the frame are occluded. Swap the
    arguments for the second frame's mask.
    """
    returned = warp_by(backward, forward)
    disagreement = (forward + returned.image).square().sum(dim=1)
    length = forward.square().sum(dim=1) + returned.image.square().sum(dim=1)
    # Negated, so that unknown flow (NaN) is occluded.
    return ~(returned.inside & (disagreement <= relative * length + absolute))
