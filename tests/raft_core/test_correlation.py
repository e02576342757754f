from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from raft_core.correlation import AllPairs
from raft_core.on_demand import OnDemand

SIZES = [(16, 16), (17, 19), (16, 23)]


def features(rows: int, columns: int, *, batch: int = 2, channels: int = 12) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(rows * 100 + columns)
    first, second = torch.randn(2, batch, channels, rows, columns, generator=generator)
    return first, second


def naive_pyramid(first: Tensor, second: Tensor) -> list[Tensor]:
    """The published volume: multiplied, divided by sqrt(C), then pooled over the second frame's axes."""
    batch, channels, rows, columns = first.shape
    volume = torch.matmul(first.flatten(2).transpose(1, 2), second.flatten(2)) / channels**0.5
    volume = volume.reshape(batch * rows * columns, 1, rows, columns)
    pyramid = [volume]
    for _ in range(3):
        pyramid.append(F.avg_pool2d(pyramid[-1], 2, stride=2))
    return pyramid


def published_lookup(pyramid: list[Tensor], centers: Tensor, radius: int) -> Tensor:
    """princeton-vl's lookup: grid_sample(align_corners=True), zeros outside, x offset varying slowest."""
    batch, _, rows, columns = centers.shape
    offsets = torch.tensor(
        [(dx, dy) for dx in range(-radius, radius + 1) for dy in range(-radius, radius + 1)], dtype=torch.float64
    )
    levels = []
    for level, volume in enumerate(pyramid):
        height, width = volume.shape[-2:]
        points = centers.double().permute(0, 2, 3, 1).reshape(-1, 1, 1, 2) / 2**level + offsets.view(1, 1, -1, 2)
        normalised = 2 * points / torch.tensor([width - 1, height - 1]) - 1
        sampled = F.grid_sample(volume.double(), normalised, align_corners=True)  # (B*rows*columns, 1, 1, offsets)
        levels.append(sampled.view(batch, rows, columns, -1))
    return torch.cat(levels, dim=-1).permute(0, 3, 1, 2).float()


def grid(rows: int, columns: int) -> Tensor:
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return torch.stack((x, y)).float()


def centers_of(kind: str, rows: int, columns: int) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    base = grid(rows, columns).expand(2, -1, -1, -1)
    noise = torch.randn(2, 2, rows, columns, generator=generator)
    match kind:
        case "whole":
            return base.clone()
        case "fractional":
            return base + 3 * noise
        case "border":
            corner = torch.tensor([columns - 1.0, rows - 1.0]).view(1, 2, 1, 1)
            return torch.where(noise > 0, corner, 0.0) + 0.6 * noise
        case "far outside":
            return base + 1e3 * noise
    raise AssertionError(kind)


@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_all_pairs_equal_the_published_volume_at_every_level(rows: int, columns: int) -> None:
    first, second = features(rows, columns)
    correlation = AllPairs(first, second)
    expected = naive_pyramid(first, second)
    assert len(correlation.levels) == 4
    for volume, published in zip(correlation.levels, expected, strict=True):
        torch.testing.assert_close(volume, published[:, 0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["whole", "fractional", "border", "far outside"])
def test_a_lookup_equals_the_published_one(kind: str) -> None:
    for (rows, columns), radius in itertools.product(SIZES, (3, 4)):
        first, second = features(rows, columns)
        centers = centers_of(kind, rows, columns)
        looked_up = AllPairs(first, second, radius=radius).lookup(centers)
        expected = published_lookup(naive_pyramid(first, second), centers, radius)
        assert looked_up.shape == (2, 4 * (2 * radius + 1) ** 2, rows, columns)
        torch.testing.assert_close(looked_up, expected, rtol=0, atol=1e-5)


def test_a_lookup_far_outside_is_zero() -> None:
    correlation = AllPairs(*features(16, 18))
    centers = torch.full((2, 2, 16, 18), 1e30)
    assert bool((correlation.lookup(centers) == 0).all())
    assert bool((correlation.lookup(-centers) == 0).all())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_lookup_at_a_center_that_is_not_finite_changes_its_own_cell_only(value: float) -> None:
    correlation = AllPairs(*features(16, 18))
    centers = grid(16, 18).repeat(2, 1, 1, 1)
    expected = correlation.lookup(centers)
    centers[1, :, 3, 4] = value
    looked_up = correlation.lookup(centers)
    elsewhere = torch.ones(2, 16, 18, dtype=torch.bool)
    elsewhere[1, 3, 4] = False
    assert torch.equal(looked_up.permute(0, 2, 3, 1)[elsewhere], expected.permute(0, 2, 3, 1)[elsewhere])


def test_a_response_is_the_map_of_the_given_cell() -> None:
    first, second = features(17, 19)
    correlation = AllPairs(first, second)
    coarse = F.avg_pool2d(second, 2)
    for batch, row, column in [(0, 0, 0), (1, 16, 18), (1, 5, 11)]:
        vector = first[batch, :, row, column]
        expected = torch.einsum("c,chw->hw", vector, second[batch]) / 12**0.5
        torch.testing.assert_close(correlation.response((row, column), 0, batch=batch), expected, rtol=0, atol=1e-5)
        expected = torch.einsum("c,chw->hw", vector, coarse[batch]) / 12**0.5
        torch.testing.assert_close(correlation.response((row, column), 1, batch=batch), expected, rtol=0, atol=1e-5)


def test_the_middle_of_a_whole_window_is_the_response_at_the_center() -> None:
    correlation = AllPairs(*features(16, 18))
    looked_up = correlation.lookup(grid(16, 18).expand(2, -1, -1, -1))
    middle, one_right, one_down = 4 * 9 + 4, 5 * 9 + 4, 4 * 9 + 5
    response = correlation.response((7, 8), 0, batch=1)
    assert looked_up[1, middle, 7, 8] == response[7, 8]
    assert looked_up[1, one_right, 7, 8] == response[7, 9]
    assert looked_up[1, one_down, 7, 8] == response[8, 8]


def test_gradients_of_a_lookup_equal_those_of_the_published_one() -> None:
    first, second = (tensor.requires_grad_() for tensor in features(16, 17))
    centers = centers_of("fractional", 16, 17)
    weights = torch.randn(2, 324, 16, 17, generator=torch.Generator().manual_seed(1))
    gradients = torch.autograd.grad((AllPairs(first, second).lookup(centers) * weights).sum(), (first, second))
    published = published_lookup(naive_pyramid(first, second), centers, 4)
    expected = torch.autograd.grad((published * weights).sum(), (first, second))
    for gradient, other in zip(gradients, expected, strict=True):
        assert bool(other.abs().max() > 0)
        torch.testing.assert_close(gradient, other, rtol=1e-4, atol=1e-4)


def test_the_volume_is_computed_in_single_precision_under_autocast() -> None:
    first, second = features(16, 16)
    expected = AllPairs(first, second)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        correlation = AllPairs(first, second)
        looked_up = correlation.lookup(grid(16, 16).expand(2, -1, -1, -1) + 0.3)
    assert looked_up.dtype == torch.float32
    for level, other in zip(correlation.levels, expected.levels, strict=True):
        assert torch.equal(level, other)


@pytest.mark.parametrize("kind", ["whole", "fractional", "border", "far outside"])
def test_on_demand_lookup_equals_all_pairs(kind: str) -> None:
    for (rows, columns), radius in itertools.product(SIZES, (3, 4)):
        first, second = features(rows, columns)
        centers = centers_of(kind, rows, columns)
        expected = AllPairs(first, second, radius=radius).lookup(centers)
        found = OnDemand(first, second, radius=radius).lookup(centers)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_on_demand_lookup_equals_all_pairs_for_tiles_of_any_spread() -> None:
    first, second = features(40, 41, batch=1)
    noise = torch.randn(1, 2, 40, 41, generator=torch.Generator().manual_seed(1))
    for spread in (0.3, 3, 6, 12, 100):
        centers = grid(40, 41) + spread * noise
        found, expected = (method(first, second).lookup(centers) for method in (OnDemand, AllPairs))
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_on_demand_lookup_in_small_portions_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = features(17, 19)
    centers = centers_of("fractional", 17, 19)
    expected = OnDemand(first, second).lookup(centers)
    monkeypatch.setattr(OnDemand, "FEATURES_AT_ONCE", 1)
    torch.testing.assert_close(OnDemand(first, second).lookup(centers), expected, rtol=0, atol=1e-6)


def test_on_demand_responses_equal_all_pairs() -> None:
    first, second = features(17, 19)
    for level in range(4):
        torch.testing.assert_close(
            OnDemand(first, second).response((11, 18), level, batch=1),
            AllPairs(first, second).response((11, 18), level, batch=1),
            rtol=0,
            atol=1e-5,
        )


def test_on_demand_gradients_equal_all_pairs() -> None:
    gradients = []
    for method in (AllPairs, OnDemand):
        first, second = (values.requires_grad_() for values in features(16, 16))
        method(first, second).lookup(centers_of("fractional", 16, 16)).square().sum().backward()
        gradients.append((first.grad, second.grad))
    for found, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e30])
def test_on_demand_lookup_survives_a_flow_that_diverges(value: float) -> None:
    first, second = features(16, 16)
    found = OnDemand(first, second).lookup(torch.full((2, 2, 16, 16), value))
    assert found.shape == (2, 324, 16, 16)


@pytest.mark.parametrize("method", [AllPairs, OnDemand])
@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_the_transposed_correlation_is_that_of_the_exchanged_frames(
    method: type[AllPairs | OnDemand], rows: int, columns: int
) -> None:
    first, second = features(rows, columns)
    centers = centers_of("fractional", rows, columns)
    transposed = method(first, second, radius=3).transposed()
    torch.testing.assert_close(
        transposed.lookup(centers), AllPairs(second, first, radius=3).lookup(centers), rtol=0, atol=1e-5
    )
    torch.testing.assert_close(
        transposed.response((3, 2), 1, batch=1), AllPairs(second, first).response((3, 2), 1, batch=1), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("method", [AllPairs, OnDemand])
def test_correlations_of_bfloat16_features_are_bfloat16_unless_a_gradient_is_needed(
    method: type[AllPairs | OnDemand],
) -> None:
    rounded = [tensor.bfloat16() for tensor in features(16, 18)]
    exact = AllPairs(*(tensor.float() for tensor in rounded))
    centers = grid(16, 18).expand(2, -1, -1, -1) + 0.3
    correlation = method(*rounded)
    assert {level.dtype for level in correlation.levels} == {torch.bfloat16}
    looked_up = correlation.lookup(centers)
    assert looked_up.dtype == torch.float32
    torch.testing.assert_close(looked_up, exact.lookup(centers), rtol=0.02, atol=0.02)
    first, second = (tensor.requires_grad_() for tensor in rounded)
    torch.testing.assert_close(method(first, second).lookup(centers), exact.lookup(centers), rtol=0, atol=1e-5)
