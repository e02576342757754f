"""Correlation without the volume of all pairs: only what the lookups of a few updates read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812

from raft_core.correlation import MARGIN, axis, blended, product_type, wants_gradient, window
from raft_core.precision import wide

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Float, Int
    from torch import Tensor

TILE = 8
"""The side of a tile of neighbouring cells, whose windows overlap almost entirely."""
REGION = 24
"""The side of the region of the second frame, in cells of a level, that is correlated with a tile and kept."""
KEPT_BYTES = 1 << 29
"""The memory, at most, of all that is kept."""


class OnDemand:
    """The correlations of `AllPairs` without the volume: memory grows with the pixels, not with their square.

    One small matrix product, of a tile's features with those of a region around its windows, holds all that lookups
    read until the windows leave that region; then it is computed again around them. A tile whose windows lie too far
    apart for one region is computed at every lookup; so are all where gradients are needed, or where keeping would
    take more than KEPT_BYTES. The values equal those of `AllPairs` up to rounding.
    """

    REACHES = (8, 14, 24, 48)
    """The largest distances, in cells, between windows of one tile that are not kept, to group similar ones."""
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
        self.queries = tiled(wide(first) * first.shape[1] ** -0.5, TILE).to(precision)
        self.levels: list[Float[Tensor, "batch rows_l columns_l channels"]] = []
        pooled = wide(second)
        for level in range(levels):
            if level > 0:
                pooled = F.avg_pool2d(pooled, 2)
            self.levels.append(pooled.permute(0, 2, 3, 1).to(precision).contiguous())
        self.kept: dict[int, Kept] = {}
        self.keep = not wants_gradient(first, second) and kept_bytes(self.queries.shape[:2].numel(), levels) > 0

    def transposed(self) -> OnDemand:
        """The correlation from the second frame to the first."""
        return OnDemand(self.second, self.first, levels=len(self.levels), radius=self.radius)

    def lookup(self, centers: Float[Tensor, "batch 2 rows columns"]) -> Float[Tensor, "batch features rows columns"]:
        """Correlations around `centers`, in the order of `AllPairs.lookup`."""
        points = tiled(wide(centers), TILE)  # (B*tiles, cells, 2)
        with torch.autocast(centers.device.type, enabled=False):
            windows = [self.windows(points / 2**level, level) for level in range(len(self.levels))]
        return untiled(torch.stack(windows), like=centers, tile=TILE)

    def response(self, cell: Sequence[int], level: int, *, batch: int = 0) -> Float[Tensor, "rows_l columns_l"]:
        """The whole response map of one cell (row, column) of the first frame at one level."""
        row, column = cell
        query = wide(self.first[batch, :, row, column])
        return torch.matmul(wide(self.levels[level][batch]), query * len(query) ** -0.5)

    def windows(self, points: Float[Tensor, "tiles cells 2"], level: int) -> Float[Tensor, "x_offsets y_offsets cells"]:
        """The window of every cell at one level."""
        corners = self.corners(points, level)
        if not self.keep:
            return self.computed(points, corners, torch.arange(len(points), device=points.device), level)
        if level not in self.kept:
            self.kept[level] = Kept(self.queries, self.levels[level], self.radius)
        kept = self.kept[level]
        tiles = kept.renew(corners, at_once=self.at_once(REGION)).nonzero()[:, 0]
        windows = kept.windows(points)
        if len(tiles):
            others = self.computed(points[tiles], corners[tiles], tiles, level)
            by_tile = windows.view(*windows.shape[:2], *points.shape[:2])
            by_tile[:, :, tiles] = others.view(*others.shape[:2], -1, TILE**2)
        return windows

    def corners(self, points: Float[Tensor, "tiles cells 2"], level: int) -> Int[Tensor, "tiles cells 2"]:
        """The first whole cell (x, y) of every window."""
        side = 2 * self.radius + 2
        _, rows, columns, _ = self.levels[level].shape
        # Clamped before the conversion: a diverging flow must not overflow an integer.
        furthest = points.new_tensor([columns, rows]) + side
        return points.floor().nan_to_num().clamp(min=-side).minimum(furthest).long() - self.radius

    def at_once(self, side: int) -> int:
        """How many regions of this side are gathered at a time."""
        return max(1, self.FEATURES_AT_ONCE // (self.queries.shape[2] * side**2))

    def computed(
        self,
        points: Float[Tensor, "groups cells 2"],
        corners: Int[Tensor, "groups cells 2"],
        tiles: Int[Tensor, " groups"],
        level: int,
    ) -> Float[Tensor, "x_offsets y_offsets cells"]:
        """The windows of the cells of `tiles`, without anything that is kept."""
        side = 2 * self.radius + 2
        queries = self.queries[tiles]
        spread = (corners.amax(1) - corners.amin(1)).amax(1)
        values = points.new_empty(*points.shape[:2], side * side)
        narrower = -1
        for reach in self.REACHES:
            groups = ((spread > narrower) & (spread <= reach)).nonzero()[:, 0]
            for some in torch.split(groups, self.at_once(reach + side)):
                values[some] = self.products(tiles[some], queries[some], corners[some], level=level, reach=reach)
            narrower = reach
        scattered, cells = (spread > narrower)[:, None].expand(corners.shape[:2]).nonzero(as_tuple=True)
        at_once = self.at_once(side)
        for group, cell in zip(torch.split(scattered, at_once), torch.split(cells, at_once), strict=True):
            alone = queries[group, cell, None], corners[group, cell, None]
            values[group, cell] = self.products(tiles[group], *alone, level=level, reach=0)[:, 0]
        fraction = (points - points.floor()).flatten(0, 1).T
        whole = values.view(-1, side * side).T.contiguous().view(side, side, -1)
        return blended(whole, fraction.flip(0))

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


class Kept:
    """The correlations of every tile of cells with a region of one level, or with all of a level as small as that."""

    def __init__(
        self,
        queries: Float[Tensor, "tiles cells channels"],
        features: Float[Tensor, "batch rows_l columns_l channels"],
        radius: int,
    ) -> None:
        self.radius = radius
        self.queries, self.batch = queries, len(features)
        self.rows, self.columns = features.shape[1:3]
        self.whole = self.rows * self.columns <= REGION**2
        size = (self.rows, self.columns) if self.whole else (REGION, REGION)
        # The zeros at the end are what lies outside of the frame.
        self.features = torch.cat((features.flatten(0, 2), features.new_zeros(1, features.shape[3])))
        store = queries.new_empty(queries.shape[:2].numel() * math.prod(size) + 2 * MARGIN)
        store[:MARGIN] = store[-MARGIN:] = 0
        self.volume = store[MARGIN:-MARGIN].view(-1, *size)
        self.low = torch.zeros(len(queries), 2, dtype=torch.long, device=queries.device)
        if self.whole:
            by_frame = features.flatten(1, 2).mT
            torch.matmul(
                queries.view(self.batch, -1, queries.shape[2]),
                by_frame,
                out=self.volume.view(self.batch, -1, by_frame.shape[2]),
            )
        else:
            self.low -= self.rows + self.columns

    def renew(self, corners: Int[Tensor, "tiles cells 2"], *, at_once: int) -> Bool[Tensor, " tiles"]:
        """Moves the regions that do not hold all windows at `corners` (x, y); returns which tiles none can hold."""
        if self.whole:
            return self.low.new_zeros(len(corners), dtype=torch.bool)
        least, most = corners.amin(1), corners.amax(1)
        held = REGION - (2 * self.radius + 2)
        room = held - (most - least)
        wide = (room < 0).any(1)
        stale = ~wide & ((least < self.low) | (most > self.low + held)).any(1)
        for tiles in torch.split(stale.nonzero()[:, 0], at_once):
            self.low[tiles] = least[tiles] - room[tiles] // 2
            self.correlate(tiles)
        return wide

    def correlate(self, tiles: Int[Tensor, " some"]) -> None:
        """Computes the correlations of these tiles with their regions."""
        steps = torch.arange(REGION, device=tiles.device)
        x, inside_x = axis(self.low[tiles, :1], steps, self.columns)
        y, inside_y = axis(self.low[tiles, 1:], steps, self.rows)
        frame = tiles // (len(self.queries) // self.batch)
        index = (frame[:, None, None] * self.rows + y[:, :, None]) * self.columns + x[:, None, :]
        inside = inside_y[:, :, None] * inside_x[:, None, :] > 0
        index = index.where(inside, len(self.features) - 1)
        region = self.features.index_select(0, index.flatten()).view(len(tiles), REGION**2, self.features.shape[1])
        products = self.queries[tiles] @ region.mT  # (some, cells, REGION**2)
        self.volume.view(len(self.queries), -1, REGION**2)[tiles] = products

    def windows(self, points: Float[Tensor, "tiles cells 2"]) -> Float[Tensor, "x_offsets y_offsets cells"]:
        """The window of every cell around its point (x, y), where the region of its tile holds it."""
        relative = (points - self.low[:, None]).flatten(0, 1).T
        return window(self.volume, relative, self.radius, margin=MARGIN)


def kept_bytes(cells: int, levels: int) -> int:
    """The memory, in float32, of what is kept for so many cells of the first frame; 0 where nothing is."""
    size = 4 * cells * levels * REGION**2
    return size if size <= KEPT_BYTES else 0


def tiled(values: Float[Tensor, "batch channels rows columns"], tile: int) -> Float[Tensor, "tiles cells channels"]:
    """Square tiles of neighbouring cells, frame by frame; repeats the border to fill the last ones."""
    channels, rows, columns = values.shape[1:]
    values = F.pad(values, (0, -columns % tile, 0, -rows % tile), mode="replicate")
    values = values.view(len(values), channels, values.shape[2] // tile, tile, -1, tile)
    return values.permute(0, 2, 4, 3, 5, 1).reshape(-1, tile * tile, channels)


def untiled(
    windows: Float[Tensor, "levels x_offsets y_offsets cells"],
    *,
    like: Float[Tensor, "batch _ rows columns"],
    tile: int,
) -> Float[Tensor, "batch features rows columns"]:
    """Windows of the cells of `tiled` as a map of the rows and columns of `like`."""
    batch, _, rows, columns = like.shape
    values = windows.view(-1, batch, -(-rows // tile), -(-columns // tile), tile, tile)
    return values.permute(1, 0, 2, 4, 3, 5).flatten(4, 5).flatten(2, 3)[:, :, :rows, :columns]
