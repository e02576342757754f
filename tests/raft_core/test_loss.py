from __future__ import annotations

import pytest
import torch

from raft_core.loss import matching_loss, sequence_loss

ZERO = torch.zeros(1, 2, 4, 4)
ALL = torch.ones(1, 4, 4, dtype=torch.bool)


def test_flows_are_weighted_by_powers_of_gamma() -> None:
    flows = [ZERO + 1, ZERO + 10, ZERO + 100]
    assert sequence_loss(flows, ZERO, ALL, gamma=0.5).item() == pytest.approx(0.25 * 1 + 0.5 * 10 + 100)


def test_invalid_pixels_add_nothing_but_stay_in_the_denominator() -> None:
    valid = ALL.clone()
    valid[:, :, 2:] = False
    assert sequence_loss([ZERO + 6], ZERO, valid, gamma=0.8).item() == pytest.approx(3.0)


def test_a_float_mask_counts_from_one_half() -> None:
    valid = torch.full((1, 4, 4), 0.49)
    valid[:, 0] = 0.5
    assert sequence_loss([ZERO + 4], ZERO, valid, gamma=0.8).item() == pytest.approx(1.0)


def test_targets_of_max_flow_and_faster_do_not_count() -> None:
    target = ZERO.clone()
    target[:, 0, 0], target[:, 0, 1] = 400.0, 399.0
    loss = sequence_loss([target + 2], target, ALL, gamma=0.8)
    assert loss.item() == pytest.approx(2 * 12 / 16)


def test_unknown_targets_reach_neither_the_loss_nor_its_gradient() -> None:
    target = ZERO.clone()
    target[..., 0] = float("nan")
    flow = (ZERO + 1).requires_grad_()
    loss = sequence_loss([flow], target, ALL, gamma=0.8)
    loss.backward()
    assert loss.item() == pytest.approx(0.75)
    assert flow.grad is not None and bool(flow.grad.isfinite().all())


def test_a_power_below_one_has_the_largest_gradient_at_small_errors() -> None:
    flow = ZERO.clone()
    flow[:, 0, 0], flow[:, 0, 1], flow[:, 0, 2] = 0.24, 3.99, -24.99
    flow.requires_grad_()
    loss = sequence_loss([flow], ZERO, ALL, gamma=0.8, power=0.5)
    loss.backward()
    (u, _) = ZERO[0]
    assert loss.item() == pytest.approx((4 * (0.5 + 2 + 5) + 20 * 0.1) / u.numel() / 2)
    assert flow.grad is not None
    assert (flow.grad[0, 0, :3, 0] * 2 * u.numel()).tolist() == pytest.approx([1, 0.25, -0.1])
    assert bool(flow.grad.isfinite().all())


def test_half_precision_flows_are_compared_in_float32() -> None:
    loss = sequence_loss([(ZERO + 1).bfloat16()], ZERO + 1.001, ALL, gamma=0.8)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(0.001, rel=1e-3)


def slow_matching_loss(
    first: torch.Tensor, second: torch.Tensor, match: torch.Tensor, counted: torch.Tensor
) -> tuple[float, int]:
    """The loss by its definition, cell by cell, and the number of cells that count."""
    channels, rows, columns = first.shape
    terms = []
    for row, column in counted.nonzero().tolist():
        x, y = match[:, row, column].tolist()
        if not (0 <= x <= columns - 1 and 0 <= y <= rows - 1):
            continue
        scores = (first[:, row, column, None, None] * second).sum(dim=0) / channels**0.5
        losses = -(scores - scores.logsumexp(dim=(0, 1))).numpy()
        left, top = min(int(x), columns - 2), min(int(y), rows - 2)
        right, below = x - left, y - top
        upper = (1 - right) * losses[top, left] + right * losses[top, left + 1]
        lower = (1 - right) * losses[top + 1, left] + right * losses[top + 1, left + 1]
        terms.append((1 - below) * upper + below * lower)
    return float(sum(terms) / len(terms)), len(terms)


def test_matching_loss_is_the_negative_log_likelihood_of_each_cells_match() -> None:
    torch.manual_seed(0)
    first, second = torch.randn(2, 1, 16, 5, 6).unbind()
    coarse = torch.randn(1, 2, 5, 6) * 1.5  # cells; some matches leave the frame
    valid = torch.ones(1, 40, 48, dtype=torch.bool)
    valid[0, 9, 17] = False  # one pixel of cell (1, 2)
    counted = torch.ones(5, 6, dtype=torch.bool)
    counted[1, 2] = False
    y, x = torch.meshgrid(torch.arange(5.0), torch.arange(6.0), indexing="ij")
    expected, count = slow_matching_loss(first[0], second[0], torch.stack((x, y)) + coarse[0], counted)
    target = coarse.repeat_interleave(8, dim=2).repeat_interleave(8, dim=3) * 8
    assert 5 < count < 29
    assert matching_loss(first, second, target, valid).item() == pytest.approx(expected, rel=1e-5)


def test_features_that_distinguish_every_cell_match_without_loss() -> None:
    features = torch.eye(30).reshape(1, 30, 5, 6) * 20
    valid = torch.ones(1, 40, 48, dtype=torch.bool)
    still = torch.zeros(1, 2, 40, 48)
    assert matching_loss(features, features, still, valid).item() == pytest.approx(0, abs=1e-6)
    assert matching_loss(features, features, still + 8, valid).item() > 10


def test_unknown_targets_add_neither_loss_nor_gradient() -> None:
    features = torch.randn(1, 4, 5, 6, requires_grad=True)
    target = torch.full((1, 2, 40, 48), float("nan"))
    loss = matching_loss(features, features, target, torch.ones(1, 40, 48, dtype=torch.bool))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
    assert features.grad is not None
    assert bool((features.grad == 0).all())
