"""The correlation of all pairs of features, its pyramid and its lookup (RAFT section 3.2)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import torch
import torch.nn.functional as F  # noqa: N812

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float, Int, Shaped
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
            queries = (first.float().flatten(2).mT * channels**-0.5).to(precision)  # (B, rows*columns, C)
            pooled = second.float()
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
        points = centers.float().transpose(0, 1).flatten(1)  # (2, B*rows*columns)
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


class OnDemand:
    """The correlations of `AllPairs` without the volume: memory grows with the pixels, not with their square.

    The windows of a tile of neighbouring cells overlap almost entirely, so one small matrix product, of the tile's
    features with those under the union of its windows, holds all that a lookup reads. A tile whose windows lie too far
    apart is looked up cell by cell. Nothing is kept between lookups; the values equal `AllPairs` up to rounding.
    """

    TILE = 8
    REACHES = (8, 14, 24, 48)
    """The largest distances, in cells, between windows of one tile; tiles of similar spread are computed together."""
    FEATURES_AT_ONCE = 1 << 24
    """Numbers gathered from the second frame at a time: 64 MiB in float32."""

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
        precision = product_type(first, second)
        self.queries = tiled(first.float() * first.shape[1] ** -0.5, self.TILE).to(precision)
        self.levels: list[Float[Tensor, "batch rows_l columns_l channels"]] = []
        pooled = second.float()
        for level in range(levels):
            if level > 0:
                pooled = F.avg_pool2d(pooled, 2)
            self.levels.append(pooled.permute(0, 2, 3, 1).to(precision).contiguous())

    def transposed(self) -> OnDemand:
        """The correlation from the second frame to the first."""
        return OnDemand(self.second, self.first, levels=len(self.levels), radius=self.radius)

    def lookup(self, centers: Float[Tensor, "batch 2 rows columns"]) -> Float[Tensor, "batch features rows columns"]:
        """Correlations around `centers`, in the order of `AllPairs.lookup`."""
        points = tiled(centers.float(), self.TILE)  # (B*tiles, cells, 2)
        with torch.autocast(centers.device.type, enabled=False):
            windows = [self.windows(points / 2**level, level) for level in range(len(self.levels))]
        return untiled(torch.cat(windows, dim=2), like=centers, tile=self.TILE)

    def response(self, cell: Sequence[int], level: int, *, batch: int = 0) -> Float[Tensor, "rows_l columns_l"]:
        """The whole response map of one cell (row, column) of the first frame at one level."""
        row, column = cell
        query = self.first[batch, :, row, column].float()
        response: Tensor = self.levels[level][batch].float() @ query * len(query) ** -0.5
        return response

    def windows(self, points: Float[Tensor, "tiles cells 2"], level: int) -> Float[Tensor, "tiles cells offsets"]:
        """The window of every cell at one level."""
        side = 2 * self.radius + 2
        _, rows, columns, channels = self.levels[level].shape
        corner = points.floor()
        # Clamped before the conversion: a diverging flow must not overflow an integer.
        furthest = points.new_tensor([columns, rows]) + side
        corners = corner.nan_to_num().clamp(min=-side).minimum(furthest).long() - self.radius
        spread = (corners.amax(1) - corners.amin(1)).amax(1)
        values = points.new_empty(*points.shape[:2], side * side)
        narrower = -1
        for reach in self.REACHES:
            tiles = ((spread > narrower) & (spread <= reach)).nonzero()[:, 0]
            for some in torch.split(tiles, max(1, self.FEATURES_AT_ONCE // (channels * (reach + side) ** 2))):
                values[some] = self.products(some, self.queries[some], corners[some], level=level, reach=reach)
            narrower = reach
        scattered, cells = (spread > narrower)[:, None].expand(corners.shape[:2]).nonzero(as_tuple=True)
        at_once = max(1, self.FEATURES_AT_ONCE // (channels * side**2))
        for tile, cell in zip(torch.split(scattered, at_once), torch.split(cells, at_once), strict=True):
            alone = self.products(tile, self.queries[tile, cell, None], corners[tile, cell, None], level=level, reach=0)
            values[tile, cell] = alone[:, 0]
        fraction = (points - corner).flatten(0, 1).T
        whole = values.view(-1, side * side).T.contiguous().view(side, side, -1)
        return blended(whole, fraction.flip(0)).flatten(0, 1).T.reshape(*points.shape[:2], -1)

    def products(
        self,
        tiles: Int[Tensor, " groups"],
        queries: Float[Tensor, "groups cells channels"],
        corners: Int[Tensor, "groups cells 2"],
        *,
        level: int,
        reach: int,
    ) -> Float[Tensor, "groups cells whole_offsets"]:
        """Correlations at the (2r + 2)² whole cells from each corner, zero outside; x offset slowest.

        The corners (x, y) of one group, which lies in one of `tiles`, are at most `reach` apart.
        """
        batch, rows, columns, channels = self.levels[level].shape
        side = 2 * self.radius + 2
        low = corners.amin(1)
        steps = torch.arange(reach + side, device=low.device)
        x, inside_x = axis(low[:, :1], steps, columns)
        y, inside_y = axis(low[:, 1:], steps, rows)
        frame = tiles // (len(self.queries) // batch)
        index = (frame[:, None, None] * rows + y[:, None, :]) * columns + x[:, :, None]
        union = self.levels[level].view(-1, channels)[index.flatten(1)]  # (groups, whole cells, channels)
        volume = queries @ union.mT  # (groups, cells, whole cells)
        volume = volume * (inside_x[:, :, None] * inside_y[:, None, :]).flatten(1)[:, None]
        offset = (corners - low[:, None])[..., None] + steps[:side]  # (groups, cells, 2, side)
        where = offset[:, :, 0, :, None] * len(steps) + offset[:, :, 1, None, :]
        return volume.gather(2, where.flatten(2))


def product_type(first: Tensor, second: Tensor) -> torch.dtype:
    """The dtype of correlations: bfloat16 if both features have it and no gradient is needed, else float32.

    bfloat16 halves time and memory. float16 is too narrow for sums over all channels; the published code avoids it too.
    """
    rounded = first.dtype == second.dtype == torch.bfloat16
    return torch.bfloat16 if rounded and not wants_gradient(first, second) else torch.float32


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
    values = values.T.contiguous().view(side, side, cells).float() * inside
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


def tiled(values: Float[Tensor, "batch channels rows columns"], tile: int) -> Float[Tensor, "tiles cells channels"]:
    """Square tiles of neighbouring cells, frame by frame; repeats the border to fill the last ones."""
    channels, rows, columns = values.shape[1:]
    values = F.pad(values, (0, -columns % tile, 0, -rows % tile), mode="replicate")
    values = values.view(len(values), channels, values.shape[2] // tile, tile, -1, tile)
    return values.permute(0, 2, 4, 3, 5, 1).reshape(-1, tile * tile, channels)


def untiled(
    tiles: Float[Tensor, "tiles cells channels"], *, like: Float[Tensor, "batch _ rows columns"], tile: int
) -> Float[Tensor, "batch channels rows columns"]:
    """The inverse of `tiled`, for a map of the rows and columns of `like`."""
    batch, _, rows, columns = like.shape
    values = tiles.view(batch, -(-rows // tile), -(-columns // tile), tile, tile, -1)
    return values.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)[:, :, :rows, :columns]
