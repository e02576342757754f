"""Warm start: carries a pair's flow forward along itself, as the initial flow of the next pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from raft_core.grid import pixel_grid

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
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
    rows, columns = flow.shape[-2:]
    grid = pixel_grid(rows, columns, like=flow)
    arrival = grid + scale * flow
    x, y = arrival.unbind(1)
    # Strictly inside, so that a static first row or column is dropped too, as published.
    stays = (x > 0) & (x < columns) & (y > 0) & (y < rows)
    arrival = arrival.flatten(2)
    nearest = place_seeds(arrival, stays.flatten(1), rows, columns)
    step = 1 << (max(rows, columns) - 1).bit_length()
    while step >= 1:
        nearest = flood(nearest, arrival, grid, step)
        step //= 2
    nearest = flood(nearest, arrival, grid, 1)
    carried = pick(flow.flatten(2), nearest)
    return torch.where(stays.any(2).any(1)[:, None, None, None], carried, 0.0)


def place_seeds(
    arrival: Float[Tensor, "batch 2 cells"], stays: Bool[Tensor, "batch cells"], rows: int, columns: int
) -> Int[Tensor, "batch rows columns"]:
    """For every cell, the index of the vector that arrived in it nearest to its centre, or -1."""
    x, y = arrival.round().unbind(1)
    # Nothing is selected by a mask, which would wait for a GPU.
    landing = torch.where(stays, y.clamp(0, rows - 1) * columns + x.clamp(0, columns - 1), 0.0).long()
    offset = (arrival - torch.stack((landing % columns, landing // columns), 1)).square().sum(1)
    cells = arrival.shape[2]
    # Distance first, index second: the minimum is unique, whatever order the device works in.
    nowhere = torch.iinfo(torch.int64).max
    key = (torch.where(stays, offset, 0.0) * CELL_FRACTION).long() * cells + torch.arange(cells, device=arrival.device)
    best = torch.full_like(landing, nowhere)
    best.scatter_reduce_(1, landing, torch.where(stays, key, nowhere), "amin")
    return torch.where(best == nowhere, -1, best % cells).view(-1, rows, columns)


def flood(
    nearest: Int[Tensor, "batch rows columns"],
    arrival: Float[Tensor, "batch 2 cells"],
    grid: Float[Tensor, "2 rows columns"],
    step: int,
) -> Int[Tensor, "batch rows columns"]:
    """Gives every cell the nearest of its own vector and those of the eight cells `step` away."""
    rows, columns = nearest.shape[1:]
    best = nearest
    best_distance = distance(best, arrival, grid)
    padded = torch.nn.functional.pad(nearest, (step, step, step, step), value=-1)
    for y in (0, step, 2 * step):
        for x in (0, step, 2 * step):
            candidate = padded[:, y : y + rows, x : x + columns]
            candidate_distance = distance(candidate, arrival, grid)
            closer = candidate_distance < best_distance
            best = torch.where(closer, candidate, best)
            best_distance = torch.where(closer, candidate_distance, best_distance)
    return best


def distance(
    numbers: Int[Tensor, "batch rows columns"],
    arrival: Float[Tensor, "batch 2 cells"],
    grid: Float[Tensor, "2 rows columns"],
) -> Float[Tensor, "batch rows columns"]:
    """The squared distance from every cell to the vector of its index; infinite for -1."""
    return torch.where(numbers < 0, torch.inf, (pick(arrival, numbers) - grid).square().sum(1))


def pick(
    vectors: Float[Tensor, "batch 2 cells"], numbers: Int[Tensor, "batch rows columns"]
) -> Float[Tensor, "batch 2 rows columns"]:
    """The vectors of these indices; the first for -1."""
    flat = numbers.clamp(min=0).flatten(1)[:, None].expand(-1, 2, -1)
    return vectors.gather(2, flat).view(-1, 2, *numbers.shape[1:])
