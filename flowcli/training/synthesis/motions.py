"""The motions of a generated scene's layers, exact forwards, and inverted to within 0.01 px.

A point p of the first frame moves to q = M(p + D(p)), with a smooth deformation D and a homography M.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from flowcli.training.synthesis.batched import Batched

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

_COARSE_STEPS = 6
_FINE_STEPS = 3


@dataclass(frozen=True, eq=False)
class Motions(Batched):
    """One motion per scene and layer; `bend` is D in px at the nodes of a grid over `bend_center` ± `bend_extent`.

    `bends` is true where D is not zero.
    """

    matrix: Float[Tensor, "scenes layers 3 3"]
    inverse: Float[Tensor, "scenes layers 3 3"]
    bend: Float[Tensor, "scenes layers 2 nodes nodes"]
    bend_center: Float[Tensor, "scenes layers 2"]
    bend_extent: Float[Tensor, "scenes layers 2"]
    bends: Bool[Tensor, "scenes layers"]


def forwards(
    motion: Motions, points: Float[Tensor, "batch 2 height width"], *, bends: bool
) -> Float[Tensor, "batch 2 height width"]:
    """The points (x, y) of the first frame moved to the second, for one layer; `bends`: whether D is used."""
    return project(motion.matrix, points + _bend_at(motion, points) if bends else points)


def backwards(
    motion: Motions, points: Float[Tensor, "batch 2 height width"], *, bends: bool
) -> Float[Tensor, "batch 2 height width"]:
    """The points (x, y) of the second frame moved back to the first, for one layer; `bends`: whether D is used.

    Solves p = z - D(p) by fixed-point iteration, which converges because |grad D| <= 0.4: first on every other pixel,
    as D is smooth, and the last three iterations on all.
    """
    straight = project(motion.inverse, points)
    if not bends or min(points.shape[-2:]) < 2:
        return straight
    coarse = straight[..., ::2, ::2]
    solved = coarse
    for _ in range(_COARSE_STEPS):
        solved = coarse - _bend_at(motion, solved)
    points = straight + _spread(solved - coarse, straight)
    for _ in range(_FINE_STEPS):
        points = straight - _bend_at(motion, points)
    return points


def project(
    matrix: Float[Tensor, "batch 3 3"], points: Float[Tensor, "batch 2 height width"]
) -> Float[Tensor, "batch 2 height width"]:
    """The points (x, y) moved by homographies."""
    a, b, c, d, e, f, g, h, i = (entry[:, None, None] for entry in matrix.flatten(1).unbind(1))
    x, y = points[:, 0], points[:, 1]
    scale = g * x + h * y + i
    return torch.stack([(a * x + b * y + c) / scale, (d * x + e * y + f) / scale], 1)


def _spread(
    coarse: Float[Tensor, "batch 2 rows columns"], like: Float[Tensor, "batch 2 height width"]
) -> Float[Tensor, "batch 2 height width"]:
    """Values at every other pixel interpolated to all pixels."""
    height, width = like.shape[-2:]
    rows, columns = coarse.shape[-2:]
    size = (2 * rows - 1, 2 * columns - 1)
    fine = functional.interpolate(coarse, size, mode="bilinear", align_corners=True)
    return functional.pad(fine, (0, width - size[1], 0, height - size[0]), mode="replicate")


def _bend_at(motion: Motions, points: Float[Tensor, "batch 2 height width"]) -> Float[Tensor, "batch 2 height width"]:
    extent = motion.bend_extent[..., None, None]
    places = (points - motion.bend_center[..., None, None]) / extent
    return functional.grid_sample(motion.bend, places.permute(0, 2, 3, 1), padding_mode="border", align_corners=True)
