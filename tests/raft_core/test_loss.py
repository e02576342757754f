from __future__ import annotations

import pytest
import torch

from raft_core.loss import sequence_loss

ZERO = torch.zeros(1, 2, 4, 4)
ALL = torch.ones(1, 4, 4, dtype=torch.bool)


def test_later_flows_weigh_more_by_powers_of_gamma() -> None:
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


def test_targets_of_max_flow_and_faster_are_left_out() -> None:
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


def test_a_power_below_one_pulls_hardest_where_the_flow_is_nearly_right() -> None:
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


def test_half_precision_flows_are_compared_in_single() -> None:
    loss = sequence_loss([(ZERO + 1).bfloat16()], ZERO + 1.001, ALL, gamma=0.8)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(0.001, rel=1e-3)
