"""Texture above noise: what two frames show and differ by along a motion, in cells and at several scales."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812

from flowcli.model.still import ROUNDING
from raft_core.grid import pixel_grid, sample

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

    Plane = Float[Tensor, "1 1 height width"]
    Flow = Float[Tensor, "1 2 height width"]
    Cells = Float[Tensor, "1 channels rows columns"]
    Mask = Bool[Tensor, "1 1 rows columns"]

HALF, CELL = 2, 8
"""The sides in px of a pixel at half the resolution, and of a cell."""
SCALES = (2, 4, 8)
"""The sizes in px to which frames are averaged, because noise hides texture at the smallest."""
TEXTURE = 4.0
"""Frames that show so many times what they differ by show texture; for noise alone both are equal."""


class Comparison(NamedTuple):
    """What two frames show along a motion: `squared` differences, and at each of SCALES what differs and what shows.

    The latter two are squared Laplacians of the frames' difference and of their sum. `inside` is false where the motion
    leaves the frame. All are means of cells, on the CPU; `half` are squared differences at half the resolution.
    """

    half: Plane
    squared: Cells
    differing: Cells
    showing: Cells
    inside: Mask

    @property
    def textured(self) -> Mask:
        """Where both frames show the same texture."""
        return self.inside & mostly((self.showing > TEXTURE * (self.differing + ROUNDING)).any(dim=1, keepdim=True))


def compare(first: Plane, second: Plane, flow: Flow, *, half: Plane) -> Comparison:
    """Two frames, in grey levels, along a motion; `half` is the first at half the resolution.

    The motion is rounded to px: interpolation would smooth noise, and so favour some motions.
    """
    height, width = flow.shape[-2:]
    points = pixel_grid(height, width, like=flow) + flow
    warped = sample(second, points, outside="border", interpolation="nearest")
    squared, moved = averaged((warped - first).square(), HALF), averaged(warped, HALF)
    x, y = averaged(points, CELL).cpu().chunk(2, dim=1)
    return Comparison(
        half=squared,
        squared=averaged(squared, CELL // HALF).cpu(),
        differing=by_scale(moved - half),
        showing=by_scale(moved + half),
        inside=(torch.minimum(x, width - 1 - x) > CELL // 2 - 1) & (torch.minimum(y, height - 1 - y) > CELL // 2 - 1),
    )


def by_scale(half: Plane) -> Cells:
    """The squared Laplacian at each of SCALES, as means of cells on the CPU, of a plane at half the resolution."""
    planes = [laplacian(averaged(half, scale // HALF)) for scale in SCALES]
    cells = [averaged(plane, CELL // scale) for plane, scale in zip(planes, SCALES, strict=True)]
    return torch.cat(cells, dim=1).cpu()


def variances(noise: Cells) -> Cells:
    """What noise of this variance leaves at each of SCALES."""
    return noise / noise.new_tensor(SCALES)[:, None, None].square()


def laplacian(plane: Plane) -> Plane:
    """The squared second derivatives across and down: for noise its variance, and zero for gradients.

    At the frame's border it is that of the neighbours within.
    """
    middle = 2 * plane[..., 1:-1, 1:-1]
    across = plane[..., 1:-1, :-2] + plane[..., 1:-1, 2:] - middle
    down = plane[..., :-2, 1:-1] + plane[..., 2:, 1:-1] - middle
    squared = (across.square() + down.square()) / 12
    squared = torch.cat([squared[..., :1, :], squared, squared[..., -1:, :]], dim=-2)
    return torch.cat([squared[..., :1], squared, squared[..., -1:]], dim=-1)


def averaged(plane: Float[Tensor, "1 channels height width"], side: int) -> Cells:
    """The means of squares of this side; those at the right and the lower border may be smaller."""
    return plane if side == 1 else F.avg_pool2d(plane, side, ceil_mode=True)


def around(cells: Cells, side: int) -> Cells:
    """The mean of the square of so many cells around each."""
    down = F.avg_pool2d(cells, (side, 1), 1, (side // 2, 0), count_include_pad=False)
    return F.avg_pool2d(down, (1, side), 1, (0, side // 2), count_include_pad=False)


def mostly(mask: Mask) -> Mask:
    """Where the mask holds, and for most of the neighbours too: for a single cell noise may do."""
    return mask & (around(mask.float(), 3) > 0.5)


def grown(mask: Mask, cells: int = 1) -> Mask:
    """The mask and what is so near."""
    near = F.pad(mask, (cells,) * 4)
    for axis in (-2, -1):
        moved = [near.narrow(axis, begin, mask.shape[axis]) for begin in range(2 * cells + 1)]
        near = reduce(torch.logical_or, moved)
    return near
