from __future__ import annotations

import math

import pytest
import torch

from raft_core.metrics import endpoint_error, measure

ALL = torch.ones(1, 4, dtype=torch.bool)


def row(*right: float) -> torch.Tensor:
    """One row of flow (2, 1, width) that moves right by the given pixels."""
    return torch.stack([torch.tensor([right]), torch.zeros(1, len(right))])


def test_endpoint_error_is_the_length_of_the_difference() -> None:
    flow = torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)
    assert endpoint_error(flow, torch.zeros(1, 2, 1, 1)).tolist() == [[[5.0]]]


def test_shares_count_errors_strictly_below_the_limit() -> None:
    metrics = measure(row(0.5, 1.0, 4.0, 9.0), row(0, 0, 0, 0), ALL)
    assert metrics.epe.value == pytest.approx(14.5 / 4)
    assert (metrics.below_1.value, metrics.below_3.value, metrics.below_5.value) == (0.25, 0.5, 0.75)


def test_an_outlier_is_both_3_px_and_5_percent_off() -> None:
    metrics = measure(row(3.0, 3.5, 104.0, 106.0), row(0, 0, 100, 100), ALL)
    assert metrics.outliers.value == 0.5


def test_bands_average_over_pixels_of_that_speed_only() -> None:
    metrics = measure(row(1, 12, 42, 110), row(0, 10, 40, 100), ALL)
    assert (metrics.s0_10.total, metrics.s0_10.count) == (1.0, 1)
    assert (metrics.s10_40.value, metrics.s10_40.count) == (2.0, 1)
    assert (metrics.s40.value, metrics.s40.count) == (6.0, 2)


def test_adding_metrics_pools_their_pixels() -> None:
    one = measure(row(1, 2), row(0, 0), ALL[:, :2])
    three = measure(row(5, 6, 7, 50), row(0, 0, 0, 0), torch.tensor([[True, True, True, False]]))
    both = measure(row(1, 2, 5, 6, 7), row(0, 0, 0, 0, 0), torch.ones(1, 5, dtype=torch.bool))
    assert one + three == both


def test_unknown_targets_outside_the_mask_do_not_matter() -> None:
    metrics = measure(row(1, 1, 1, 1), row(0, float("nan"), 0, 1e10), torch.tensor([[True, False, True, False]]))
    assert (metrics.epe.value, metrics.epe.count) == (1.0, 2)


def test_an_average_over_nothing_is_not_a_number() -> None:
    assert math.isnan(measure(row(1), row(0), torch.tensor([[False]])).epe.value)
    assert math.isnan(measure(row(1), row(0), torch.tensor([[True]])).s40.value)
