from __future__ import annotations

import pytest
import torch

from raft_core.grid import pixel_grid, resize_flow, sample, warp_by


def constant_flow(u: float, v: float, height: int, width: int) -> torch.Tensor:
    return torch.tensor([float(u), float(v)]).view(1, 2, 1, 1).expand(1, 2, height, width)


def test_a_grid_holds_x_then_y() -> None:
    grid = pixel_grid(3, 5, like=torch.zeros(1))
    assert grid.shape == (2, 3, 5)
    assert grid[:, 2, 4].tolist() == [4, 2]


def test_warping_by_a_shift_reproduces_the_unshifted_image() -> None:
    image = torch.rand(1, 3, 20, 30)
    first, second = image[..., 5:15, 5:20], image[..., 3:13, 2:17]  # the content moved 3 right and 2 down
    warped = warp_by(second, constant_flow(3, 2, 10, 15))
    inside = warped.inside[0]
    assert torch.equal(inside, (torch.arange(10) < 8)[:, None] & (torch.arange(15) < 12))
    torch.testing.assert_close(warped.image[..., inside], first[..., inside], rtol=0, atol=1e-5)


def test_nothing_is_inside_where_the_flow_is_unknown() -> None:
    warped = warp_by(torch.rand(1, 3, 4, 5), constant_flow(float("nan"), 0, 4, 5))
    assert not bool(warped.inside.any())


def test_sampling_blends_the_four_neighbours() -> None:
    image = torch.tensor([[0.0, 1.0], [2.0, 3.0]]).view(1, 1, 2, 2)
    points = torch.tensor([[0.25, 0.5], [1.0, 0.0], [0.0, 1.0]]).T.reshape(1, 2, 1, 3)
    torch.testing.assert_close(sample(image, points).flatten(), torch.tensor([1.25, 1.0, 2.0]))


def test_outside_the_image_everything_is_zero() -> None:
    points = torch.tensor([[-1.0, 0.0], [0.0, 3.0], [7.0, 7.0]]).T.reshape(1, 2, 1, 3)
    assert sample(torch.ones(1, 1, 3, 4), points).flatten().tolist() == [0, 0, 0]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 4), (4, 1)])
def test_a_single_pixel_can_be_sampled(height: int, width: int) -> None:
    image = torch.rand(1, 3, height, width)
    whole = pixel_grid(height, width, like=image)[None]
    torch.testing.assert_close(sample(image, whole), image)
    torch.testing.assert_close(warp_by(image, torch.zeros(1, 2, height, width)).image, image)


def test_resizing_a_flow_rescales_each_axis_by_its_own_factor() -> None:
    resized = resize_flow(constant_flow(3, 5, 10, 20), height=5, width=60)
    torch.testing.assert_close(resized, constant_flow(9, 2.5, 5, 60))


def test_a_flow_of_the_same_size_is_returned_unchanged() -> None:
    flow = torch.randn(1, 2, 3, 4)
    assert resize_flow(flow, height=3, width=4) is flow


def test_a_resized_flow_points_at_the_same_points() -> None:
    """A zoom about the centre stays the same zoom at another size."""
    centre = torch.tensor([19.5, 9.5]).view(1, 2, 1, 1)
    flow = 0.2 * (pixel_grid(20, 40, like=centre)[None] - centre)
    resized = resize_flow(flow, height=40, width=80)
    centre = torch.tensor([39.5, 19.5]).view(1, 2, 1, 1)
    expected = 0.2 * (pixel_grid(40, 80, like=centre)[None] - centre)
    torch.testing.assert_close(resized[..., 2:-2, 2:-2], expected[..., 2:-2, 2:-2])
