from __future__ import annotations

import pytest
import torch

from flowcli.training.shifted_crops import shifted_crops
from raft_core.grid import warp_by


def test_warping_the_second_of_shifted_crops_gives_the_first_where_both_show_it():
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (6, 3, 80, 96), generator=generator, dtype=torch.uint8)
    batch = shifted_crops(pictures, crop=(48, 56), reach=16, generator=generator)
    warped = warp_by(batch.second.float(), batch.flow).image
    difference = (warped - batch.first.float()).abs().amax(dim=1)
    assert batch.flow.abs().amax() > 4
    assert 0.3 < batch.inside.float().mean() < 1
    assert difference[batch.inside].max() < 0.01
    assert difference[~batch.inside].mean() > 10


def test_a_shift_that_does_not_fit_is_refused():
    pictures = torch.zeros(1, 3, 60, 60, dtype=torch.uint8)
    with pytest.raises(ValueError, match="do not fit"):
        shifted_crops(pictures, crop=(48, 48), reach=16, generator=torch.Generator())
