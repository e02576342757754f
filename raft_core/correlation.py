"""The correlation of all pairs of features, its pyramid and its lookup (RAFT section 3.2)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import torch
import torch.nn.functional as F  # noqa: N812

from raft_core.precision import wide

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float, Shaped
    from torch import Tensor


MARGIN = 64
"""Zeros in memory before and after a volume: more than a window's side, and whole cache lines."""


class Correlation(Protocol):
    """The correlation of two feature maps, read around centers or as the whole response map of a cell."""

    def lookup(self, centers: Float[Tensor, "batch 2 rows columns"]) -> Float[Tensor, "batch features rows columns"]:
        """Correlations around `centers`, which are in cells of the second frame's 1/8 grid."""

    def response(self, cell: Sequence[int], level: int, *, batch: int = 0) -> Float[Tensor, "rows_l columns_l"]:
        """The whole response map of one cell (row, column) of the first frame at one level."""

    def transposed(self) -> Correlation:
        """The correlation from the second frame to the first."""


class AllPairs:
    """The 4-D correlation volume of two feature maps and its pyramid (RAFT section 3.2).

    Level l holds the dot products of every cell of `first` with the features of `second` averaged over 2^l × 2^l
    cells, divided by sqrt(channels), in the precision of `product_type`.
    """

    def __init__(
        self,
        first: Float[Tensor, "batch channels rows columns"],
        second: Float[Tensor, "batch channels rows columns"],
        *,
        levels: int = 4,
        radius: int = 4,
    ) -> None:
        self.radius = radius
        self.first, self.second = first, second
        batch, channels, rows, columns = first.shape
        self.levels: list[Float[Tensor, "cells rows_l columns_l"]] = []
        with torch.autocast(first.device.type, enabled=False):
            precision = product_type(first, second)
            # Autograd and exported graphs allow neither `out=` nor reads beyond the volume.
            self.margin = 0 if wants_gradient(first, second) or torch.compiler.is_compiling() else MARGIN
            # Correlation is linear: scaled and pooled features give the published volume, and are far smaller than it.
            queries = (wide(first).flatten(2).mT * channels**-0.5).to(precision)  # (B, rows*columns, C)
            pooled = wide(second)
            for level in range(levels):
                if level > 0:
                    pooled = F.avg_pool2d(pooled, 2)
                volume = product(queries, pooled.flatten(2).to(precision), margin=self.margin)
                self.levels.append(volume.view(batch * rows * columns, *pooled.shape[-2:]))

    def transposed(self) -> AllPairs:
        """The correlation from the second frame to the first."""
        # Transposing the volume takes longer than multiplying the features again: every read misses the cache.
        return AllPairs(self.second, self.first, levels=len(self.levels), radius=self.radius)

    def lookup(self, centers: Float[Tensor, "batch 2 rows columns"]) -> Float[Tensor, "batch features rows columns"]:
        """Correlations around `centers` (x, y in cells of the second frame's 1/8 grid), bilinear, zero outside.

        Level by level from fine to coarse, (2r + 1)² values each; within a level the x offset varies slowest,
        because the published weights were trained with that channel order.
        """
        batch, _, rows, columns = centers.shape
        points = wide(centers).transpose(0, 1).flatten(1)  # (2, B*rows*columns)
        windows = [
            window(volume, points / 2**level, self.radius, margin=self.margin)
            for level, volume in enumerate(self.levels)
        ]
        return torch.stack(windows).view(-1, batch, rows, columns).transpose(0, 1)

    def response(self, cell: Sequence[int], level: int, *, batch: int = 0) -> Float[Tensor, "rows_l columns_l"]:
        """The whole response map of one cell (row, column) of the first frame at one level."""
        row, column = cell
        rows, columns = self.first.shape[2:]
        return self.levels[level][(batch * rows + row) * columns + column]


def product_type(first: Tensor, second: Tensor) -> torch.dtype:
    """The dtype of correlations: bfloat16 if both features have it and no gradient is needed, else at least float32.

    bfloat16 halves time and memory. float16 is too narrow for sums over all channels; the published code avoids it too.
    """
    rounded = first.dtype == second.dtype == torch.bfloat16
    if rounded and not wants_gradient(first, second):
        return torch.bfloat16
    return torch.promote_types(torch.promote_types(first.dtype, second.dtype), torch.float32)


def wants_gradient(first: Tensor, second: Tensor) -> bool:
    """Whether autograd records what is computed from the features."""
    return torch.is_grad_enabled() and (first.requires_grad or second.requires_grad)


def product(
    queries: Float[Tensor, "batch cells channels"], features: Float[Tensor, "batch channels others"], *, margin: int
) -> Float[Tensor, "batch cells others"]:
    """All dot products, with `margin` zeros before and after them in memory."""
    if not margin:
        return queries @ features
    shape = (*queries.shape[:2], features.shape[2])
    store = queries.new_empty(math.prod(shape) + 2 * margin)
    store[:margin] = store[-margin:] = 0
    return torch.matmul(queries, features, out=store[margin:-margin].view(shape))


def window(
    volume: Float[Tensor, "cells rows columns"], centers: Float[Tensor, "2 cells"], radius: int, *, margin: int = 0
) -> Float[Tensor, "x_offsets y_offsets cells"]:
    """Each cell's own map, sampled bilinearly at the (2r + 1)² points around its center (x, y).

    All these points share one fractional part, so the (2r + 2)² whole cells around them are read and blended: one by
    one, or, with `margin` zeros in memory on either side of the volume, row by row.
    """
    cells, rows, columns = volume.shape
    side = 2 * radius + 2
    corner = centers.floor()
    first = corner.nan_to_num()[..., None] - radius
    steps = torch.arange(side, device=volume.device)
    x, inside_x = axis(first[0], steps, columns)
    y, inside_y = axis(first[1], steps, rows)
    if margin:
        # Reads whole rows of the window. Rows outside of the map are read from the margin, and columns outside of it
        # from a neighbouring row; `inside` zeroes both.
        left = first[0].clamp(-side, columns).long()
        start = (torch.arange(cells, device=volume.device)[:, None] * rows + y) * columns + left + margin
        everywhere = volume.as_strided((volume.numel() + 2 * margin - side + 1, side), (1, 1), 0)
        values = everywhere.index_select(0, start.where(inside_y > 0, 0).flatten()).view(cells, -1)
        inside = inside_x.T
    else:
        index = (y * columns)[:, :, None] + x[:, None, :]
        values = volume.view(cells, -1).gather(1, index.flatten(1))
        inside = inside_y.T[:, None] * inside_x.T
    values = values.T.contiguous().view(side, side, cells).to(centers.dtype) * inside
    return blended(values, centers - corner).transpose(0, 1)


def blended(
    values: Float[Tensor, "rows_plus_1 columns_plus_1 cells"], fraction: Float[Tensor, "2 cells"]
) -> Float[Tensor, "rows columns cells"]:
    """Bilinear interpolation between whole cells; all points of a window share one fraction (x, y)."""
    values = torch.lerp(values[:, :-1], values[:, 1:], fraction[0])
    return torch.lerp(values[:-1], values[1:], fraction[1])


def axis(corner: Shaped[Tensor, "cells 1"], steps: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Indices along one axis, clamped to the map, and 1 for those that were inside, else 0."""
    # Clamped before the conversion: a diverging flow must not overflow an integer.
    index = corner.clamp(-steps.numel(), size + steps.numel()).long() + steps
    inside = (index >= 0) & (index < size)
    return index.clamp(0, size - 1), inside.float()
