from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from raft_core.upsample import MaskHead, convex_weights, upsample_bilinear, upsample_convex


def test_convex_upsampling_equals_the_published_formula_written_as_loops() -> None:
    generator = torch.Generator().manual_seed(0)
    rows, columns = 2, 3
    flow = torch.randn(2, 2, rows, columns, generator=generator)
    logits = torch.randn(2, 576, rows, columns, generator=generator)
    fine = upsample_convex(flow, logits)
    assert fine.shape == (2, 2, 16, 24)
    for batch in range(2):
        for y in range(8 * rows):
            for x in range(8 * columns):
                row, column, inner = y // 8, x // 8, (y % 8) * 8 + x % 8
                scores = [math.exp(float(logits[batch, k * 64 + inner, row, column])) for k in range(9)]
                for channel in range(2):
                    total = 0.0
                    for k in range(9):
                        r, c = row + k // 3 - 1, column + k % 3 - 1
                        if 0 <= r < rows and 0 <= c < columns:  # zero outside, but its weight counts
                            total += scores[k] * 8 * float(flow[batch, channel, r, c])
                    assert float(fine[batch, channel, y, x]) == pytest.approx(total / sum(scores), abs=1e-5)


def test_convex_weights_are_a_convex_combination() -> None:
    weights = convex_weights(torch.randn(2, 576, 3, 4))
    assert weights.shape == (2, 9, 8, 8, 3, 4)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(2, 8, 8, 3, 4))


def test_a_mask_that_selects_the_middle_repeats_each_vector() -> None:
    logits = torch.zeros(1, 9, 64, 2, 3)
    logits[:, 4] = 100
    flow = torch.randn(1, 2, 2, 3)
    expected = 8 * flow.repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)
    torch.testing.assert_close(upsample_convex(flow, logits.flatten(1, 2)), expected)


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_convex_upsampling_is_float32_under_autocast(precision: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    flow = 20 * torch.randn(1, 2, 4, 5, generator=generator)
    logits = torch.randn(1, 576, 4, 5, generator=generator)
    expected = upsample_convex(flow, logits)
    with torch.autocast("cpu", dtype=precision):
        fine = upsample_convex(flow, logits)
    assert fine.dtype == torch.float32
    torch.testing.assert_close(fine, expected)


def test_bilinear_upsampling_interpolates_corner_to_corner_and_scales_by_eight() -> None:
    flow = torch.randn(2, 2, 3, 5)
    expected = 8 * F.interpolate(flow, size=(24, 40), mode="bilinear", align_corners=True)
    torch.testing.assert_close(upsample_bilinear(flow), expected)
    corners = upsample_bilinear(flow)[:, :, [0, 0, -1, -1], [0, -1, 0, -1]]
    torch.testing.assert_close(corners, 8 * flow[:, :, [0, 0, -1, -1], [0, -1, 0, -1]])


def test_a_mask_head_scales_its_logits_by_a_quarter() -> None:
    head = MaskHead(hidden_channels=4, inner_channels=6)
    hidden = torch.randn(1, 4, 3, 3)
    torch.testing.assert_close(head(hidden), 0.25 * head.conv2(F.relu(head.conv1(hidden))))
