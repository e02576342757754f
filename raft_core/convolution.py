"""Convolutions with fewer multiplications, for float32 on a CPU without gradients.

Winograd's minimal filtering (Lavin and Gray 2016, https://arxiv.org/abs/1509.09308): a tile of outputs is interpolated
from products at a few points, so that a 3×3 kernel takes a quarter of the multiplications and one of five taps two
fifths. It rounds more than a direct convolution: by up to 3e-5 where values are about 1.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Float
    from torch import Tensor

OUTPUTS = 4
"""The number of outputs of a tile along an axis."""
POINTS = {3: (0, 1, -1, 1 / 2, -2), 5: (0, 1, -1, 2, -2, 1 / 2, -1 / 2)}
"""The points of interpolation besides infinity, by the number of taps: small simple numbers round least."""
FEWEST_CHANNELS = 64
"""With fewer input or output channels, moving the tiles takes longer than the saved multiplications."""
FEWEST_CELLS = 1500
"""With fewer outputs, preparing the kernel takes longer than the saved multiplications."""
TILES_AT_ONCE = 512
"""Bounds memory, and keeps the tiles in the cache."""
DIRECT = ContextVar("direct", default=False)
"""Whether no tiles are filtered; see `direct_convolutions`."""


@contextmanager
def direct_convolutions() -> Iterator[None]:
    """Computes every convolution inside the block directly, which rounds least."""
    token = DIRECT.set(True)
    try:
        yield
    finally:
        DIRECT.reset(token)


def convolve(
    x: Float[Tensor, "batch inputs rows columns"],
    weight: Float[Tensor, "outputs inputs kernel_rows kernel_columns"],
    bias: Float[Tensor, " outputs"] | None = None,
) -> Float[Tensor, "batch outputs rows columns"]:
    """The convolution of stride 1 with zero padding that keeps the size; the kernel's sides must be odd."""
    if tiles_pay(x, weight):
        return filter_tiles(x, weight, bias)
    return F.conv2d(x, weight, bias, padding=(weight.shape[2] // 2, weight.shape[3] // 2))


class Convolution(nn.Conv2d):
    """`convolve` as a layer."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)

    def forward(self, x: Float[Tensor, "batch inputs rows columns"]) -> Float[Tensor, "batch outputs rows columns"]:
        """The convolution of `x`."""
        return convolve(x, self.weight, self.bias)


def tiles_pay(x: Tensor, weight: Tensor) -> bool:
    """Whether filtering tiles is faster and exact enough; on GPUs, cuDNN chooses its own algorithm."""
    return (
        x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not DIRECT.get()
        and not (torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad))
        and min(weight.shape[:2]) >= FEWEST_CHANNELS
        and x.shape[2] * x.shape[3] >= FEWEST_CELLS
        and tuple(weight.shape[2:]) in {(3, 3), (1, 5), (5, 1)}
    )


def filter_tiles(
    x: Float[Tensor, "batch inputs rows columns"],
    weight: Float[Tensor, "outputs inputs kernel_rows kernel_columns"],
    bias: Float[Tensor, " outputs"] | None,
) -> Float[Tensor, "batch outputs rows columns"]:
    """`convolve` by minimal filtering."""
    (batch, inputs, rows, columns), (outputs, _, *taps) = x.shape, weight.shape
    to_outputs, kernel_to_points, tile_to_points = zip(*(transforms(count) for count in taps), strict=True)
    kernels = along_both(kernel_to_points, weight.permute(2, 3, 0, 1).flatten(2))
    kernels = kernels.view(-1, outputs, inputs)  # (points, outputs, inputs)
    high, wide = (len(matrix) for matrix in to_outputs)
    down, across = -(-rows // high), -(-columns // wide)
    top, left = taps[0] // 2, taps[1] // 2
    padded = F.pad(x.contiguous(), (left, across * wide - columns + left, top, down * high - rows + top))
    tiles = padded.unfold(2, high + 2 * top, high).unfold(3, wide + 2 * left, wide).permute(4, 5, 1, 0, 2, 3)
    result = x.new_empty(batch, outputs, down, high, across, wide)
    at_once = max(1, TILES_AT_ONCE // (batch * across))
    for start in range(0, down, at_once):
        points = along_both(tile_to_points, tiles[..., start : start + at_once, :].flatten(2))
        products = kernels @ points.view(len(kernels), inputs, -1)  # (points, outputs, tiles)
        values = along_both(to_outputs, products.view(*points.shape[:2], -1))
        values = values.view(high, wide, outputs, batch, -1, across)
        result[:, :, start : start + at_once] = values.permute(3, 2, 4, 0, 5, 1)
    result = result.view(batch, outputs, down * high, across * wide)[:, :, :rows, :columns]
    return result.contiguous() if bias is None else result + bias[:, None, None]


def along_both(
    matrices: tuple[Float[Tensor, "i m"], Float[Tensor, "j n"]], values: Float[Tensor, "m n rest"]
) -> Float[Tensor, "i j rest"]:
    """Applies one matrix down the first axis and the other along the second."""
    down, across = matrices
    if len(down) > 1:
        values = (down @ values.flatten(1)).view(len(down), *values.shape[1:])
    return across @ values if len(across) > 1 else values


@cache
def transforms(
    taps: int,
) -> tuple[Float[Tensor, "outputs points"], Float[Tensor, "points taps"], Float[Tensor, "points points"]]:
    """The matrices of one axis, from products to outputs, kernel to points and tile to points (Toom-Cook, transposed).

    A convolution multiplies polynomials; as many points as the product has coefficients determine it.
    """
    if taps == 1:
        return (torch.ones(1, 1, dtype=torch.float32, device="cpu"),) * 3
    # By `tiles_pay`, what they are applied to is on the CPU; a caller's default device may be another.
    points = torch.tensor(POINTS[taps], dtype=torch.float64, device="cpu")

    def values(coefficients: int) -> Float[Tensor, "points coefficients"]:
        infinity = torch.eye(coefficients, dtype=torch.float64, device="cpu")[-1:]
        return torch.cat((points[:, None] ** torch.arange(coefficients, device="cpu"), infinity))

    tile = torch.linalg.inv(values(OUTPUTS + taps - 1)).T
    # A factor can be moved from the tile's matrix to the kernel's; powers of two cause no rounding.
    scale = 2 ** tile.abs().amax(dim=1, keepdim=True).log2().round()
    return values(OUTPUTS).T.float(), (values(taps) * scale).float(), (tile / scale).float()
