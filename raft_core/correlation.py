"""How alike every feature of the first frame is to every feature of the second, at four resolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float
    from torch import Tensor


class AllPairs:
    """The 4-D correlation volume of two feature maps and its pyramid (RAFT section 3.2), as a value.

    Level l holds the dot products of every cell of `first` with the features of `second` averaged over 2^l × 2^l
    cells, divided by sqrt(channels). It is computed in float32, whatever the features' precision.
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
        self.shape = first.shape
        batch, channels, rows, columns = first.shape
        self.levels: list[Float[Tensor, "cells rows_l columns_l"]] = []
        with torch.autocast(first.device.type, enabled=False):
            # Scaling the features and pooling them gives the published volume, by linearity, without ever touching it.
            queries = first.float().flatten(2).mT * channels**-0.5  # (B, rows*columns, C)
            pooled = second.float()
            for level in range(levels):
                if level > 0:
                    pooled = F.avg_pool2d(pooled, 2)
                volume = queries @ pooled.flatten(2)  # (B, rows*columns, rows_l*columns_l)
                self.levels.append(volume.view(batch * rows * columns, *pooled.shape[-2:]))

    def lookup(self, centers: Float[Tensor, "batch 2 rows columns"]) -> Float[Tensor, "batch features rows columns"]:
        """Correlations around `centers` (x, y in cells of the second frame's 1/8 grid), bilinear, zero outside.

        Level by level from fine to coarse, (2r + 1)² values each; within a level the x offset varies slowest,
        because the published weights were trained with that channel order.
        """
        batch, _, rows, columns = centers.shape
        points = centers.float().permute(0, 2, 3, 1).reshape(-1, 2)  # (B*rows*columns, 2)
        windows = [window(volume, points / 2**level, self.radius) for level, volume in enumerate(self.levels)]
        return torch.cat(windows, dim=1).view(batch, rows, columns, -1).permute(0, 3, 1, 2)

    def response(self, cell: Sequence[int], level: int, *, batch: int = 0) -> Float[Tensor, "rows_l columns_l"]:
        """The whole response map of one cell (row, column) of the first frame at one level."""
        row, column = cell
        _, _, rows, columns = self.shape
        return self.levels[level][(batch * rows + row) * columns + column]


def window(
    volume: Float[Tensor, "cells rows columns"], centers: Float[Tensor, "cells 2"], radius: int
) -> Float[Tensor, "cells offsets"]:
    """Each cell's own map, read bilinearly at the (2r + 1)² points around its center, x offset slowest.

    All those points share one fractional part, so the (2r + 2)² whole cells around them are gathered and blended
    along each axis.
    """
    cells, rows, columns = volume.shape
    corner = centers.floor()
    steps = torch.arange(-radius, radius + 2, device=volume.device)
    x, weight_x = axis(corner[:, :1], steps, columns)
    y, weight_y = axis(corner[:, 1:], steps, rows)
    index = (y * columns)[:, None, :] + x[:, :, None]  # (cells, x offset, y offset)
    values = volume.view(cells, -1).gather(1, index.flatten(1)).view(index.shape)
    values = values * (weight_x[:, :, None] * weight_y[:, None, :])
    fraction = centers - corner
    values = torch.lerp(values[:, :-1], values[:, 1:], fraction[:, :1, None])
    values = torch.lerp(values[:, :, :-1], values[:, :, 1:], fraction[:, 1:, None])
    return values.flatten(1)


def axis(corner: Float[Tensor, "cells 1"], steps: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Indices along one axis, kept inside, and 1 or 0 for those that were inside or not."""
    # Clamped before the conversion: a diverging flow must not overflow an integer.
    index = corner.clamp(-steps.numel(), size + steps.numel()).long() + steps
    inside = (index >= 0) & (index < size)
    return index.clamp(0, size - 1), inside.float()
