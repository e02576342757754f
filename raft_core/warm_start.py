"""Warm start: carries a pair's flow forward along itself, as the initial flow of the next pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from raft_core.grid import pixel_grid

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor

# Distances are compared as whole numbers of this fraction of a cell, so that ties fall the same way on every device.
CELL_FRACTION = 256


def carry_forward(
    flow: Float[Tensor, "batch 2 rows columns"], *, scale: float = 1.0
) -> Float[Tensor, "batch 2 rows columns"]:
    """Moves each vector by `scale` times itself; every cell then takes the nearest moved vector (1/8 grid).

    `scale` is 1 / N where the next pair starts one frame later and flow spans N frames, and negative for backward flow.

    This is princeton-vl's `forward_interpolate` (core/utils/utils.py), with jump flooding (Rong and Tan 2006), which
    runs on any device and rarely misses the nearest, in place of scipy's search. Vectors that leave the frame are
    dropped; if all leave, the result is zero.
    """
    return torch.stack([carry_one(field, scale) for field in flow])


def carry_one(flow: Float[Tensor, "2 rows columns"], scale: float) -> Float[Tensor, "2 rows columns"]:
    """`carry_forward` for one flow of a batch."""
    _, rows, columns = flow.shape
    grid = pixel_grid(rows, columns, like=flow)
    arrival = grid + scale * flow
    x, y = arrival
    # Strictly inside, so that a static first row or column is dropped too, as published.
    stays = (x > 0) & (x < columns) & (y > 0) & (y < rows)
    if not bool(stays.any()):
        return torch.zeros_like(flow)
    arrival = arrival.flatten(1)
    nearest = place_seeds(arrival, stays.flatten(), rows, columns)
    step = 1 << (max(rows, columns) - 1).bit_length()
    while step >= 1:
        nearest = flood(nearest, arrival, grid, step)
        step //= 2
    nearest = flood(nearest, arrival, grid, 1)
    return flow.flatten(1)[:, nearest.flatten()].view_as(flow)


def place_seeds(
    arrival: Float[Tensor, "2 cells"], stays: Tensor, rows: int, columns: int
) -> Int[Tensor, "rows columns"]:
    """For every cell, the index of the vector that arrived in it nearest to its centre, or -1."""
    x, y = arrival.round()
    landing = (y.clamp(0, rows - 1) * columns + x.clamp(0, columns - 1)).long()
    offset = (arrival - torch.stack((landing % columns, landing // columns))).square().sum(0)
    cells = arrival.shape[1]
    # Distance first, index second: the minimum is unique, whatever order the device works in.
    key = (offset * CELL_FRACTION).long() * cells + torch.arange(cells, device=arrival.device)
    nowhere = torch.iinfo(torch.int64).max
    best = torch.full((cells,), nowhere, device=arrival.device)
    best.scatter_reduce_(0, landing[stays], key[stays], "amin")
    return torch.where(best == nowhere, -1, best % cells).view(rows, columns)


def flood(
    nearest: Int[Tensor, "rows columns"],
    arrival: Float[Tensor, "2 cells"],
    grid: Float[Tensor, "2 rows columns"],
    step: int,
) -> Int[Tensor, "rows columns"]:
    """Gives every cell the nearest of its own vector and those of the eight cells `step` away."""
    rows, columns = nearest.shape
    best = nearest
    best_distance = distance(best, arrival, grid)
    padded = torch.nn.functional.pad(nearest, (step, step, step, step), value=-1)
    for y in (0, step, 2 * step):
        for x in (0, step, 2 * step):
            candidate = padded[y : y + rows, x : x + columns]
            candidate_distance = distance(candidate, arrival, grid)
            closer = candidate_distance < best_distance
            best = torch.where(closer, candidate, best)
            best_distance = torch.where(closer, candidate_distance, best_distance)
    return best


def distance(
    numbers: Int[Tensor, "rows columns"], arrival: Float[Tensor, "2 cells"], grid: Float[Tensor, "2 rows columns"]
) -> Float[Tensor, "rows columns"]:
    """The squared distance from every cell to the vector of its index; infinite for -1."""
    points = arrival[:, numbers.clamp(min=0)]
    return torch.where(numbers < 0, torch.inf, (points - grid).square().sum(0))
