from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import grid_sample

from flowcli.training.augmentation.generated import AugmentedBatch, augment
from flowcli.training.augmentation.photometry import Photometry, blur, recolour
from flowcli.training.recipes import AugmentationSettings

SAME_COLOURS = Photometry(brightness=0, contrast=0, saturation=0, hue=0, gamma=0, gain=0)
GEOMETRY = AugmentationSettings(
    photometry=SAME_COLOURS, blur_probability=0, degraded_probability=0, noise_probability=0, eraser_probability=0
)
STILL = replace(
    GEOMETRY, resize_probability=0, stretch_probability=0, horizontal_flip_probability=0, vertical_flip_probability=0
)
CROP = (48, 64)


def smooth_pattern(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    waves = [torch.sin(0.11 * x + 0.05 * y), torch.cos(0.07 * y - 0.09 * x + 1), torch.sin(0.13 * y + 2)]
    return torch.stack(waves, dim=-3) * 100 + 128


def moved_pair(height: int = 72, width: int = 96) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """A smooth image and its copy enlarged 1.05 times and shifted by (3, -2) px, with the exact flow."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    flow = torch.stack([0.05 * x + 3, 0.05 * y - 2])
    first, second = smooth_pattern(x, y), smooth_pattern((x - 3) / 1.05, (y + 2) / 1.05)
    frames = [frame.round().to(torch.uint8)[None] for frame in (first, second)]
    return frames[0], frames[1], flow[None], torch.ones(1, height, width, dtype=torch.bool)


def augmented(settings: AugmentationSettings, seed: int = 0, crop: tuple[int, int] = CROP) -> AugmentedBatch:
    return augment(*moved_pair(), crop=crop, settings=settings, generator=torch.Generator().manual_seed(seed))


def test_warping_the_augmented_second_frame_by_the_augmented_flow_gives_the_first() -> None:
    for seed in range(8):
        batch = augmented(GEOMETRY, seed)
        height, width = CROP
        x = torch.arange(width) + batch.flow[:, 0]
        y = torch.arange(height)[:, None] + batch.flow[:, 1]
        grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
        warped = grid_sample(batch.second.float(), grid, align_corners=False)
        difference = (warped - batch.first).abs().amax(dim=1)[batch.inside]
        assert batch.inside.float().mean() > 0.6
        assert difference.mean() < 1.0
        assert difference.max() < 4.0


def test_without_a_resize_the_crop_holds_source_pixels_exactly() -> None:
    first, _, flow, _ = moved_pair()
    batch = augmented(STILL)
    windows = first[0].unfold(1, CROP[0], 1).unfold(2, CROP[1], 1)  # (3, tops, lefts, height, width)
    equal = (windows == batch.first[0][:, None, None]).all(dim=(0, 3, 4)).nonzero()
    assert len(equal) == 1
    top, left = equal[0].tolist()
    cut = flow[:, :, top : top + CROP[0], left : left + CROP[1]]
    assert torch.allclose(batch.flow, cut, atol=1e-4)


def test_a_horizontal_flip_mirrors_the_frames_and_negates_rightward_flow_only() -> None:
    plain, mirrored = (
        augmented(STILL, crop=(72, 96)),
        augmented(replace(STILL, horizontal_flip_probability=1), 0, (72, 96)),
    )
    assert torch.equal(mirrored.first, plain.first.flip(-1))
    assert torch.equal(mirrored.second, plain.second.flip(-1))
    assert torch.allclose(mirrored.flow[:, 0], -plain.flow[:, 0].flip(-1), atol=1e-4)
    assert torch.allclose(mirrored.flow[:, 1], plain.flow[:, 1].flip(-1), atol=1e-4)


def test_a_vertical_flip_mirrors_the_frames_and_negates_downward_flow_only() -> None:
    plain, mirrored = (
        augmented(STILL, crop=(72, 96)),
        augmented(replace(STILL, vertical_flip_probability=1), 0, (72, 96)),
    )
    assert torch.equal(mirrored.second, plain.second.flip(-2))
    assert torch.allclose(mirrored.flow[:, 0], plain.flow[:, 0].flip(-2), atol=1e-4)
    assert torch.allclose(mirrored.flow[:, 1], -plain.flow[:, 1].flip(-2), atol=1e-4)


def test_enlarging_multiplies_the_flow() -> None:
    first, second, _, visible = moved_pair()
    flow = torch.tensor([3.0, -2.0])[None, :, None, None].expand(1, 2, 72, 96)
    settings = replace(STILL, resize_probability=1, scale=(0.5, 0.5))
    batch = augment(first, second, flow, visible, crop=CROP, settings=settings, generator=torch.Generator())
    assert torch.allclose(batch.flow[:, 0], torch.tensor(3 * 2**0.5))
    assert torch.allclose(batch.flow[:, 1], torch.tensor(-2 * 2**0.5))


def test_a_pair_smaller_than_the_crop_is_enlarged_to_fill_it() -> None:
    batch = augmented(STILL, crop=(144, 96))
    assert batch.first.shape == (1, 3, 144, 96)
    # 72 rows become 144, so downward flow doubles: row 0 moves by 2 · −2 (plus 5 % of a quarter row).
    assert batch.flow[0, 1, 0, 0].item() == pytest.approx(-4, abs=0.05)


def test_flows_of_two_layers_are_not_interpolated() -> None:
    first, second, flow, visible = moved_pair()
    flow = torch.zeros_like(flow)
    flow[:, :, :, 40:] = 7.0
    settings = replace(GEOMETRY, scale=(0.3, 0.3), stretch=0.0, horizontal_flip_probability=0)
    settings = replace(settings, vertical_flip_probability=0, resize_probability=1)
    batch = augment(first, second, flow, visible, crop=CROP, settings=settings, generator=torch.Generator())
    expected = torch.tensor([0.0, 7 * 2**0.3])
    assert (batch.flow[..., None] - expected).abs().amin(dim=-1).max() < 1e-3
    assert len(batch.flow.round().unique()) == 2


def test_occluded_pixels_stay_occluded() -> None:
    first, second, flow, visible = moved_pair()
    visible[:, :, :50] = False
    batch = augment(first, second, flow, visible, crop=(72, 96), settings=STILL, generator=torch.Generator())
    assert torch.equal(batch.visible, visible)


def test_pixels_whose_match_leaves_the_crop_are_not_inside() -> None:
    batch = augmented(STILL, crop=(72, 96))
    x, y = torch.arange(96), torch.arange(72)[:, None]
    inside = (1.05 * x + 3 <= 95) & (1.05 * y - 2 >= 0) & (1.05 * y - 2 <= 71)
    assert torch.equal(batch.inside[0], inside)


def test_strong_shrinking_does_not_alias() -> None:
    board = ((torch.arange(128)[:, None] + torch.arange(128)) % 2 * 255).to(torch.uint8).expand(1, 3, 128, 128)
    settings = replace(STILL, resize_probability=1, scale=(-1.3, -1.3))
    flow, visible = torch.zeros(1, 2, 128, 128), torch.ones(1, 128, 128, dtype=torch.bool)
    batch = augment(board, board, flow, visible, crop=(32, 32), settings=settings, generator=torch.Generator())
    assert batch.first.float().std() < 16
    assert batch.first.float().mean().item() == pytest.approx(127.5, abs=2)


def test_the_same_seed_gives_the_same_batch_and_another_seed_another() -> None:
    one, same, other = (augmented(AugmentationSettings(), seed) for seed in (5, 5, 6))
    assert torch.equal(one.second, same.second) and torch.equal(one.flow, same.flow)
    assert not torch.equal(one.second, other.second)


def test_no_decision_waits_for_the_device() -> None:
    """Reading a value of a meta tensor, or mixing devices, raises an error."""
    batch = 16
    frames = torch.empty(batch, 3, 72, 96, dtype=torch.uint8, device="meta")
    flow, visible = torch.empty(batch, 2, 72, 96, device="meta"), torch.empty(batch, 72, 96, device="meta").bool()
    settings = replace(AugmentationSettings(), noise_probability=0, degraded_probability=1, blur_probability=0.5)
    result = augment(frames, frames, flow, visible, crop=CROP, settings=settings, generator=torch.Generator())
    assert result.second.shape == (batch, 3, *CROP)
    assert result.flow.device.type == "meta"


def test_inputs_are_not_modified() -> None:
    before, inputs = moved_pair(), moved_pair()
    augment(*inputs, crop=(72, 96), settings=AugmentationSettings(), generator=torch.Generator())
    assert all(torch.equal(a, b) for a, b in zip(before, inputs, strict=True))


def test_both_frames_change_colour_alike_unless_asymmetric() -> None:
    frames = torch.rand(16, 1, 3, 8, 8, generator=torch.Generator().manual_seed(1)).expand(-1, 2, -1, -1, -1)
    alike = recolour(frames, Photometry(asymmetric_probability=0), torch.Generator().manual_seed(2))
    unlike = recolour(frames, Photometry(asymmetric_probability=1), torch.Generator().manual_seed(2))
    assert torch.equal(alike[:, 0], alike[:, 1])
    assert ((alike - frames).abs().mean(dim=(1, 2, 3, 4)) > 0.01).all()
    assert ((unlike[:, 0] - unlike[:, 1]).abs().mean(dim=(1, 2, 3)) > 0.005).all()


def test_ranges_of_zero_do_not_change_colours() -> None:
    frames = torch.rand(2, 2, 3, 8, 8)
    assert torch.allclose(recolour(frames.clone(), SAME_COLOURS, torch.Generator()), frames, atol=1e-6)


def test_a_change_of_hue_keeps_greys_grey() -> None:
    grey = torch.rand(4, 2, 1, 8, 8).expand(-1, -1, 3, -1, -1)
    turned = recolour(grey, replace(SAME_COLOURS, hue=0.3, saturation=0.4), torch.Generator().manual_seed(0))
    assert torch.allclose(turned, grey, atol=1e-5)


def test_the_eraser_hides_a_box_of_mean_colour_in_the_second_frame_only() -> None:
    plain, erased = augmented(STILL, 3), augmented(replace(STILL, eraser_probability=1), 3)
    changed = (plain.second != erased.second).any(dim=1)
    assert torch.equal(plain.first, erased.first)
    assert 20 < changed.sum() < 2 * 14**2
    assert (erased.second[0][:, changed[0]].float().std(dim=1) == 0).all()


def test_images_with_sigma_zero_are_not_blurred() -> None:
    images = torch.rand(3, 3, 16, 16)
    blurred = blur(images, torch.tensor([[0.0, 0.0], [1.5, 0.0], [0.0, 0.0]]))
    assert torch.equal(blurred[0], images[0]) and torch.equal(blurred[2], images[2])
    assert blurred[1].diff(dim=-1).abs().mean() < 0.5 * images[1].diff(dim=-1).abs().mean()
