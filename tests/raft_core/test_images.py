from __future__ import annotations

import itertools
from typing import get_args

import pytest
import torch

from raft_core.images import Padding, Placement, to_model_range


def test_sintel_frames_are_padded_by_two_rows_above_and_two_below() -> None:
    assert Padding.for_size(436, 1024) == Padding(left=0, right=0, top=2, bottom=2)


def test_kitti_frames_are_padded_below() -> None:
    assert Padding.for_size(375, 1242, placement="bottom") == Padding(left=3, right=3, top=0, bottom=1)


def test_an_odd_pixel_goes_to_the_right_and_to_the_bottom() -> None:
    assert Padding.for_size(375, 1243) == Padding(left=2, right=3, top=0, bottom=1)


def test_a_frame_that_fits_is_not_padded() -> None:
    for size in ((128, 136), (1080, 1920), (128, 128)):
        assert Padding.for_size(*size) == Padding(left=0, right=0, top=0, bottom=0)


@pytest.mark.parametrize("placement", get_args(Placement))
def test_padded_sides_suit_the_model_and_crop_removes_the_padding(placement: Placement) -> None:
    for height, width in itertools.product([1, 2, 7, 100, 121, 127, 128, 129, 135, 436], [1, 3, 127, 131, 250]):
        padding = Padding.for_size(height, width, placement=placement)
        images = torch.rand(1, 2, height, width)
        padded = padding.pad(images)
        for side, padded_side in zip((height, width), padded.shape[-2:], strict=True):
            assert padded_side % 8 == 0
            assert padded_side >= 128
            assert padded_side == 128 or padded_side - side < 8
        assert torch.equal(padding.crop(padded), images)
        assert torch.equal(padding.crop(padded[0, 0]), images[0, 0])


def test_padding_repeats_the_border() -> None:
    padded = Padding.for_size(126, 127).pad(torch.arange(126.0 * 127).view(1, 1, 126, 127))
    assert torch.equal(padded[..., 0, :-1], padded[..., 1, :-1])
    assert torch.equal(padded[..., -1, :-1], padded[..., -2, :-1])
    assert torch.equal(padded[..., -1], padded[..., -2])


def test_bytes_become_numbers_from_minus_one_to_one() -> None:
    images = torch.arange(256, dtype=torch.uint8).expand(1, 3, 1, 256)
    values = to_model_range(images)
    torch.testing.assert_close(values, 2 * (images / 255.0) - 1, rtol=0, atol=1e-6)
    assert values.dtype == torch.float32
    assert values.min() == -1
    assert values.max() == pytest.approx(1)
