from __future__ import annotations

import torch

from raft_core.grid import pixel_grid
from raft_core.warm_start import carry_forward


def nearest_by_search(flow: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The published projection by exhaustive search: the carried flow, and the distance of its vectors."""
    _, rows, columns = flow.shape
    grid = pixel_grid(rows, columns, like=flow)
    arrival = (grid + flow).flatten(1)
    inside = (arrival[0] > 0) & (arrival[0] < columns) & (arrival[1] > 0) & (arrival[1] < rows)
    distances = torch.cdist(grid.flatten(1).T, arrival[:, inside].T)
    nearest, index = distances.min(dim=1)
    return flow.flatten(1)[:, inside][:, index].view_as(flow), nearest.view(rows, columns)


def test_a_constant_motion_is_carried_unchanged():
    flow = torch.tensor([2.5, -1.25]).view(1, 2, 1, 1).expand(1, 2, 24, 32)
    assert torch.equal(carry_forward(flow), flow)


def test_a_moving_block_carries_its_motion_along():
    flow = torch.zeros(1, 2, 20, 40)
    flow[:, 0, 5:12, 6:14] = 8
    carried = carry_forward(flow)
    assert (carried[:, 0, 5:12, 14:22] == 8).all()
    # The last row and column of an uncovered region are nearer to what arrived beside them.
    assert (carried[:, 0, 6:11, 30:] == 0).all()


def test_the_nearest_arrival_is_found_as_by_exhaustive_search():
    generator = torch.Generator().manual_seed(0)
    # Standard deviations of 4 to 32 px; beyond that, regions fold over each other and have no clear nearest vector.
    coarse = torch.randn(4, 2, 5, 7, generator=generator) * torch.tensor([0.5, 1, 2, 4]).view(4, 1, 1, 1)
    flow = torch.nn.functional.interpolate(coarse, size=(55, 128), mode="bicubic")
    carried = carry_forward(flow)
    for field, found in zip(flow, carried, strict=True):
        expected, _ = nearest_by_search(field)
        difference = (found - expected).norm(dim=0)
        assert (difference > 0.1).float().mean() < 0.025
        assert difference.mean() < 0.02


def test_flow_that_leaves_the_frame_entirely_starts_cold():
    assert torch.equal(carry_forward(torch.full((1, 2, 16, 16), 100.0)), torch.zeros(1, 2, 16, 16))
