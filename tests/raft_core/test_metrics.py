from __future__ import annotations

import math

import pytest
import torch

from raft_core.metrics import FlowMetrics, endpoint_error, measure

ALL = torch.ones(1, 4, dtype=torch.bool)


def row(*right: float) -> torch.Tensor:
    """One row of flow (2, 1, width) that moves right by the given pixels."""
    return torch.stack([torch.tensor([right]), torch.zeros(1, len(right))])


def test_endpoint_error_is_the_length_of_the_difference() -> None:
    flow = torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)
    assert endpoint_error(flow, torch.zeros(1, 2, 1, 1)).tolist() == [[[5.0]]]


def test_large_errors_of_half_precision_are_finite() -> None:
    flow, target = torch.full((2, 1, 1), 300.0).half(), torch.zeros(2, 1, 1).half()
    assert endpoint_error(flow, target).item() == pytest.approx(300 * 2**0.5)


def test_fractions_count_errors_strictly_below_the_limit() -> None:
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


# Every metric by a loop over pixels, as the papers define it.


def naive(flow: torch.Tensor, target: torch.Tensor, valid: torch.Tensor, occluded: torch.Tensor) -> dict[str, list]:
    """For every metric, the value of each pixel that it averages."""
    scores: dict[str, list[float]] = {name: [] for name in FlowMetrics.__dataclass_fields__}
    for y in range(valid.shape[0]):
        for x in range(valid.shape[1]):
            if not valid[y, x]:
                continue
            (u, v), (true_u, true_v) = flow[:, y, x].tolist(), target[:, y, x].tolist()
            error = math.sqrt((u - true_u) ** 2 + (v - true_v) ** 2)
            speed = math.sqrt(true_u**2 + true_v**2)
            scores["epe"].append(error)
            for limit in (1, 3, 5):
                scores[f"below_{limit}"].append(1.0 if error < limit else 0.0)
            scores["outliers"].append(1.0 if error > 3 and error / speed > 0.05 else 0.0)
            # Playing for Benchmarks: inliers at 100 thresholds, weighted 1, 0.99, … 0.01.
            weights = [1 - (i - 1) / 100 for i in range(1, 101)]
            inlier = [error <= i / 20 for i in range(1, 101)]
            scores["wauc"].append(sum(w for w, kept in zip(weights, inlier, strict=True) if kept) / sum(weights))
            band = "s0_10" if speed < 10 else "s10_40" if speed < 40 else "s40"
            scores[band].append(error)
            scores["occluded" if occluded[y, x] else "visible"].append(error)
    return scores


@pytest.mark.parametrize("seed", range(4))
def test_every_metric_equals_a_loop_over_pixels(seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    target = torch.randn(2, 9, 11, generator=random) * 20
    spread = torch.rand(1, 9, 11, generator=random) * 6  # so that some errors are tiny and some are large
    flow = target + torch.randn(2, 9, 11, generator=random) * spread
    valid, occluded = torch.rand(9, 11, generator=random) < 0.8, torch.rand(9, 11, generator=random) < 0.3
    expected = naive(flow, target, valid, occluded)
    found = measure(flow, target, valid, occluded).averages()
    assert set(found) == set(expected)
    for name, pixels in expected.items():
        assert len(pixels) >= 5, f"too few pixels to test {name}"
        assert found[name].count == len(pixels), name
        assert found[name].value == pytest.approx(sum(pixels) / len(pixels), rel=1e-6), name


@pytest.mark.parametrize(
    ("error", "area"),
    [
        (0.0, 1.0),
        (0.04, 1.0),  # within all thresholds: (1 + 0.99 + … + 0.01) / 50.5
        (0.06, 49.5 / 50.5),  # above the first, whose weight is 1
        (2.5, 13.26 / 50.5),  # within those from i = 50 on: 0.51 + 0.50 + … + 0.01 = 51 · 0.52 / 2
        (4.99, 0.01 / 50.5),  # within the last only
        (5.01, 0.0),
    ],
)
def test_the_weighted_area_under_the_curve_as_computed_by_hand(error: float, area: float) -> None:
    found = measure(row(error).double(), row(0).double(), torch.tensor([[True]])).wauc.value
    assert found == pytest.approx(area)


def test_a_worked_example_with_hidden_pixels() -> None:
    """Errors 5 (3-4-5), 0, 2 and 13 (5-12-13) px, true speeds 5, 20, 50 and 100."""
    target = torch.tensor([[[5.0, 20.0, 30.0, 60.0]], [[0.0, 0.0, 40.0, 80.0]]])
    flow = target + torch.tensor([[[3.0, 0.0, 2.0, 5.0]], [[4.0, 0.0, 0.0, 12.0]]])
    metrics = measure(flow, target, ALL, torch.tensor([[True, False, False, True]]))
    assert metrics.epe.value == 5.0
    assert [metrics.below_1.value, metrics.below_3.value, metrics.below_5.value] == [0.25, 0.5, 0.5]
    assert metrics.outliers.value == 0.5  # 5 > 3 and 100 % of 5; 13 > 3 and 13 % of 100
    assert [metrics.s0_10.value, metrics.s10_40.value, metrics.s40.value] == [5.0, 0.0, 7.5]
    assert [metrics.visible.value, metrics.occluded.value] == [1.0, 9.0]


def test_without_an_occlusion_mask_no_pixel_is_visible_or_occluded() -> None:
    metrics = measure(row(1, 1), row(0, 0), ALL[:, :2])
    assert (metrics.visible.count, metrics.occluded.count) == (0, 0)


def test_flow_that_is_nan_is_an_outlier() -> None:
    metrics = measure(row(float("nan")), row(1), ALL[:, :1])
    assert (metrics.outliers.value, metrics.below_5.value, metrics.wauc.value) == (1.0, 0.0, 0.0)
    assert math.isnan(metrics.epe.value)
