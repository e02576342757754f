"""Augments batches of generated pairs: resizing, mirroring, cropping, colour, blur, noise and erased boxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import grid_sample, interpolate

from flowcli.training.augmentation.photometry import blur, recolour
from raft_core.grid import is_inside, pixel_grid

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, UInt8
    from torch import Generator, Tensor

    from flowcli.training.recipes import AugmentationSettings

LARGEST_PLAIN_STEP = 1.3
"""The largest step in source pixels at which bilinear sampling is used without a blur against aliasing."""
LARGEST_BLENDED_DIFFERENCE = 0.5
"""The largest difference in px of neighbouring flows that are interpolated; others belong to different layers."""


@dataclass(frozen=True, eq=False)
class AugmentedBatch:
    """A training batch of RGB crops, with flow in pixels of the crop.

    `visible` marks pixels that the second frame shows, `inside` pixels whose match lies within the second crop.
    """

    first: UInt8[Tensor, "batch 3 height width"]
    second: UInt8[Tensor, "batch 3 height width"]
    flow: Float[Tensor, "batch 2 height width"]
    visible: Bool[Tensor, "batch height width"]
    inside: Bool[Tensor, "batch height width"]


def augment(
    first: UInt8[Tensor, "batch 3 height width"],
    second: UInt8[Tensor, "batch 3 height width"],
    flow: Float[Tensor, "batch 2 height width"],
    visible: Bool[Tensor, "batch height width"],
    *,
    crop: tuple[int, int],
    settings: AugmentationSettings,
    generator: Generator,
) -> AugmentedBatch:
    """An augmented crop of (height, width) of every pair, a pure function of the arguments.

    All tensors are on one device, the generator is on the CPU, so that no decision waits for the GPU and all are the
    same on every device; only the noise differs between devices. Flow outside `visible` must be finite.
    """
    draw = _Draw(len(first), generator)
    placement = _place(draw, settings, size=(first.shape[-2], first.shape[-1]), crop=crop)
    frames, flow, visible = _resample(torch.cat([first, second], dim=1), flow, visible, placement, crop)
    frames = recolour(frames.div_(255), settings.photometry, generator)  # (batch, 2, 3, height, width)
    frames = _blur_some(frames, draw, settings)
    frames = _degrade_some(frames, draw, settings)
    frames = _add_noise(frames, draw, settings)
    frames = _erase(frames, draw, settings)
    frames = frames.clamp_(0, 1).mul_(255).round_().to(torch.uint8)
    return AugmentedBatch(
        first=frames[:, 0].contiguous(),
        second=frames[:, 1].contiguous(),
        flow=flow,
        visible=visible,
        inside=_lands_inside(flow),
    )


@dataclass(frozen=True, eq=False)
class _Draw:
    """Random numbers for each pair of a batch, on the CPU."""

    batch: int
    generator: Generator

    def uniform(self, low: float, high: float, *shape: int) -> Float[Tensor, "batch ..."]:
        return torch.rand(self.batch, *shape, generator=self.generator) * (high - low) + low

    def happens(self, probability: float) -> Bool[Tensor, " batch"]:
        return torch.rand(self.batch, generator=self.generator) < probability


@dataclass(frozen=True, eq=False)
class _Placement:
    """The position of a crop in its source: source = (crop + ½) / scale + origin − ½; a negative scale mirrors."""

    scale: Float[Tensor, "batch 2"]  # x, y
    origin: Float[Tensor, "batch 2"]


def _place(draw: _Draw, settings: AugmentationSettings, *, size: tuple[int, int], crop: tuple[int, int]) -> _Placement:
    extent, window = torch.tensor([size[1], size[0]]), torch.tensor([crop[1], crop[0]])
    stretch = draw.uniform(-settings.stretch, settings.stretch, 2)
    stretch *= draw.happens(settings.stretch_probability).unsqueeze(1)
    exponent = draw.uniform(*settings.scale, 1) + stretch
    resized = draw.happens(settings.resize_probability).unsqueeze(1)
    scale = torch.where(resized, torch.exp2(exponent), 1.0).maximum(window / extent)
    origin = draw.uniform(0, 1, 2) * (extent - window / scale).clamp(min=0)
    origin = torch.where(scale == 1, origin.round(), origin)
    mirrored = torch.stack(
        [draw.happens(settings.horizontal_flip_probability), draw.happens(settings.vertical_flip_probability)], dim=1
    )
    origin = torch.where(mirrored, origin + window / scale, origin)
    return _Placement(scale=torch.where(mirrored, -scale, scale), origin=origin)


def _resample(
    frames: UInt8[Tensor, "batch 6 height width"],
    flow: Float[Tensor, "batch 2 height width"],
    visible: Bool[Tensor, "batch height width"],
    placement: _Placement,
    crop: tuple[int, int],
) -> tuple[
    Float[Tensor, "batch 2 3 crop_height crop_width"],
    Float[Tensor, "batch 2 crop_height crop_width"],
    Bool[Tensor, "batch crop_height crop_width"],
]:
    device = flow.device
    step = 1 / placement.scale.abs()
    sigma = torch.where(step > LARGEST_PLAIN_STEP, 0.5 * (step.square() - 1).clamp(min=0).sqrt(), 0.0)
    images = blur(frames.float(), sigma)
    ground_truth = torch.cat([flow, visible.unsqueeze(1)], dim=1)
    grid = _source_grid(placement, crop, size=(flow.shape[-2], flow.shape[-1]), device=device)
    # The ground truth is sampled twice: nearest neighbours are used where flow is discontinuous.
    blended = grid_sample(torch.cat([images, ground_truth], dim=1), grid, padding_mode="border", align_corners=False)
    nearest = grid_sample(ground_truth, grid, mode="nearest", padding_mode="border", align_corners=False)
    smooth = blended[:, 6:]
    apart = (smooth[:, :2] - nearest[:, :2]).abs().amax(dim=1, keepdim=True)
    # The flow of an occluded neighbour is not interpolated either.
    uniform = (apart < LARGEST_BLENDED_DIFFERENCE) & (smooth[:, 2:] > 0.999)
    scale = placement.scale.to(device)[:, :, None, None]
    return (
        blended[:, :6].reshape(-1, 2, 3, *crop),
        torch.where(uniform, smooth[:, :2], nearest[:, :2]) * scale,
        nearest[:, 2] > 0.5,
    )


def _source_grid(
    placement: _Placement, crop: tuple[int, int], *, size: tuple[int, int], device: torch.device
) -> Float[Tensor, "batch crop_height crop_width 2"]:
    axes = []
    # Only one row and one column are copied to a GPU, and expanded there.
    for axis, (count, extent) in enumerate([(crop[1], size[1]), (crop[0], size[0])]):
        centres = torch.arange(count, dtype=torch.float64) + 0.5
        source = centres / placement.scale[:, axis : axis + 1].double() + placement.origin[:, axis : axis + 1].double()
        axes.append((source * (2 / extent) - 1).float().to(device))
    batch, (height, width) = len(placement.scale), crop
    x = axes[0][:, None, :].expand(batch, height, width)
    y = axes[1][:, :, None].expand(batch, height, width)
    return torch.stack([x, y], dim=-1)


def _blur_some(
    frames: Float[Tensor, "batch 2 3 height width"], draw: _Draw, settings: AugmentationSettings
) -> Float[Tensor, "batch 2 3 height width"]:
    sigma = draw.uniform(*settings.blur_sigma, 1) * draw.happens(settings.blur_probability).unsqueeze(1)
    return blur(frames.flatten(1, 2), sigma.expand(-1, 2)).view_as(frames)


def _degrade_some(
    frames: Float[Tensor, "batch 2 3 height width"], draw: _Draw, settings: AugmentationSettings
) -> Float[Tensor, "batch 2 3 height width"]:
    degraded, factors = draw.happens(settings.degraded_probability), torch.exp2(draw.uniform(*settings.degraded_scale))
    height, width = frames.shape[-2:]
    for index in degraded.nonzero().flatten().tolist():
        factor = factors[index].item()
        small = (max(1, round(height * factor)), max(1, round(width * factor)))
        shrunk = interpolate(frames[index], size=small, mode="bilinear", antialias=True)
        frames[index] = interpolate(shrunk, size=(height, width), mode="bilinear")
    return frames


def _add_noise(
    frames: Float[Tensor, "batch 2 3 height width"], draw: _Draw, settings: AugmentationSettings
) -> Float[Tensor, "batch 2 3 height width"]:
    noisy, sigma = draw.happens(settings.noise_probability), draw.uniform(*settings.noise_sigma) / 255
    seeds = torch.randint(2**62, (draw.batch,), generator=draw.generator)
    for index in noisy.nonzero().flatten().tolist():
        # Generated on the frames' device: copying the noise would take longer.
        source = torch.Generator(frames.device).manual_seed(int(seeds[index]))
        noise = torch.randn(frames.shape[1:], generator=source, device=frames.device)
        frames[index].add_(noise, alpha=sigma[index].item())
    return frames


def _erase(
    frames: Float[Tensor, "batch 2 3 height width"], draw: _Draw, settings: AugmentationSettings
) -> Float[Tensor, "batch 2 3 height width"]:
    erased, two = draw.happens(settings.eraser_probability), draw.happens(0.5)
    centre, size = draw.uniform(0, 1, 2, 2), draw.uniform(*settings.eraser_size, 2, 2)  # (batch, box, axis)
    height, width = frames.shape[-2:]
    half = size * (min(height, width) / 2)
    centre = centre * torch.tensor([width, height])
    lows, highs = (centre - half).round().int().clamp(min=0), (centre + half).round().int()
    for index in erased.nonzero().flatten().tolist():
        second = frames[index, 1]
        colour = second.mean(dim=(1, 2))[:, None, None]
        for box in range(2 if two[index] else 1):
            (left, top), (right, bottom) = lows[index, box].tolist(), highs[index, box].tolist()
            second[:, top:bottom, left:right] = colour
    return frames


def _lands_inside(flow: Float[Tensor, "batch 2 height width"]) -> Bool[Tensor, "batch height width"]:
    height, width = flow.shape[-2:]
    return is_inside(pixel_grid(height, width, like=flow) + flow, height=height, width=width)
