"""The forward-backward check, against a loop over pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from raft_core.consistency import find_occluded


def naive(forward: Tensor, backward: Tensor, relative: float, absolute: float) -> Tensor:
    """The check pixel by pixel, with its own bilinear interpolation."""
    _, height, width = forward.shape
    mask = torch.zeros(height, width, dtype=torch.bool)
    for row in range(height):
        for column in range(width):
            u, v = forward[:, row, column].tolist()
            x, y = column + u, row + v
            if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
                mask[row, column] = True
                continue
            left, top = min(int(x), width - 2), min(int(y), height - 2)
            a, b = x - left, y - top
            corners = backward[:, top : top + 2, left : left + 2]
            back = (
                corners[:, 0, 0] * (1 - a) * (1 - b)
                + corners[:, 0, 1] * a * (1 - b)
                + corners[:, 1, 0] * (1 - a) * b
                + corners[:, 1, 1] * a * b
            )
            there = forward[:, row, column]
            limit = relative * (there.square().sum() + back.square().sum()) + absolute
            mask[row, column] = bool((there + back).square().sum() > limit)
    return mask


def test_the_check_is_made_at_the_displaced_position() -> None:
    generator = torch.Generator().manual_seed(0)
    forward, backward = torch.randn(2, 2, 12, 15, generator=generator) * 1.5
    for relative, absolute in ((0.01, 0.5), (0.5, 2.0)):
        found = find_occluded(forward[None], backward[None], relative=relative, absolute=absolute)[0]
        assert torch.equal(found, naive(forward, backward, relative, absolute))
        assert 0 < found.float().mean() < 1


def test_a_shift_hides_only_what_leaves_the_frame() -> None:
    forward = torch.zeros(1, 2, 10, 20)
    forward[:, 0] = 3
    hidden = find_occluded(forward, -forward)
    assert bool(hidden[..., 17:].all())
    assert not bool(hidden[..., :17].any())


def test_unknown_flow_is_occluded() -> None:
    forward = torch.full((1, 2, 4, 4), float("nan"))
    assert bool(find_occluded(forward, torch.zeros(1, 2, 4, 4)).all())
    assert bool(find_occluded(torch.zeros(1, 2, 4, 4), forward).all())
