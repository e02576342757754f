"""Photometric augmentation of batches: brightness, contrast, saturation, hue, gamma, channel gain and blur."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import conv2d, pad

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Generator, Tensor

LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Photometry:
    """The ranges of colour changes, which are drawn uniformly and symmetrically about no change.

    `brightness`, `contrast` and `saturation` are relative (0.4: a factor of 0.6 to 1.4), `hue` is in turns, `gamma`
    and `gain` (per channel) are exponents of 2. Both frames of a pair change alike; with `asymmetric_probability`, each
    also changes separately, in ranges multiplied by `asymmetric_strength`.
    """

    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    hue: float = 0.5 / math.pi
    gamma: float = 0.5
    gain: float = 0.15
    asymmetric_probability: float = 0.2
    asymmetric_strength: float = 0.5


def recolour(
    frames: Float[Tensor, "batch 2 3 height width"], photometry: Photometry, generator: Generator
) -> Float[Tensor, "batch 2 3 height width"]:
    """Frames (RGB in 0..1) with changed colours, in 0..1; the generator is on the CPU.

    All changes but gamma are one affine map of RGB.
    """
    batch, device = len(frames), frames.device
    shared = torch.rand(batch, 1, 8, generator=generator) * 2 - 1
    own = (torch.rand(batch, 2, 8, generator=generator) * 2 - 1) * photometry.asymmetric_strength
    own *= torch.rand(batch, 1, 1, generator=generator) < photometry.asymmetric_probability
    brightness, contrast, saturation, hue, gamma, *gain = (shared + own).unbind(-1)  # each (batch, 2)
    matrix = _hue_rotation(hue * photometry.hue) @ _saturation(1 + saturation * photometry.saturation)
    matrix = torch.exp2(torch.stack(gain, dim=-1) * photometry.gain).unsqueeze(-1) * matrix
    # The sum of both draws may exceed ±1, and so make a factor zero or negative.
    matrix *= (1 + brightness * photometry.brightness).clamp(min=0.2)[..., None, None]
    factor = (1 + contrast * photometry.contrast).clamp(min=0.2)[..., None, None].to(device)
    matrix = matrix.to(device)
    luma = torch.tensor(LUMA, device=device)
    # One mean for both frames: separate means would change colours by what only one frame shows.
    mean = matrix @ frames.mean(dim=(1, 3, 4))[:, None, :, None]  # (batch, 2, 3, 1)
    offset = (1 - factor) * (luma @ mean).unsqueeze(-1)  # (batch, 2, 1, 1)
    mapped = torch.baddbmm(
        offset.flatten(0, 1).expand(-1, 3, 1), (matrix * factor).flatten(0, 1), frames.flatten(0, 1).flatten(2)
    )
    exponent = torch.exp2(gamma * photometry.gamma).to(device)[..., None, None, None]
    return mapped.view_as(frames).clamp_(0, 1).pow_(exponent)


def blur(
    images: Float[Tensor, "batch channels height width"], sigma: Float[Tensor, "batch 2"]
) -> Float[Tensor, "batch channels height width"]:
    """Images blurred by Gaussians of `sigma` px along x and y; images with sigma 0 are unchanged.

    `sigma` is on the CPU, so that images without blur take no time on a GPU.
    """
    chosen = (sigma > 0).any(dim=1).nonzero().flatten()
    if len(chosen) == 0:
        return images
    sigma = sigma[chosen].clamp(min=1e-3)
    radius = math.ceil(3 * sigma.max().item())
    steps = torch.arange(-radius, radius + 1)
    kernel = torch.exp(-0.5 * (steps / sigma.unsqueeze(-1)).square())
    kernel = (kernel / kernel.sum(dim=-1, keepdim=True)).to(images.device)  # (chosen, 2, taps)
    where = chosen.to(images.device)
    channels, (height, width) = images.shape[1], images.shape[-2:]
    rows = images[where].view(1, -1, height, width)
    across, down = (kernel[:, axis].repeat_interleave(channels, dim=0)[:, None] for axis in (0, 1))
    rows = conv2d(pad(rows, (radius, radius, 0, 0), mode="replicate"), across.unsqueeze(2), groups=len(across))
    rows = conv2d(pad(rows, (0, 0, radius, radius), mode="replicate"), down.unsqueeze(3), groups=len(down))
    return images.index_copy(0, where, rows.view(-1, channels, height, width))


def _hue_rotation(turns: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch 3 3"]:
    """Matrices that rotate RGB about the grey axis, so that greys stay grey."""
    angle = turns[..., None, None] * (2 * math.pi)
    third = torch.full((3, 3), 1 / 3)
    cross = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / math.sqrt(3)
    return third + angle.cos() * (torch.eye(3) - third) + angle.sin() * cross


def _saturation(factor: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch 3 3"]:
    grey = torch.tensor(LUMA).expand(3, 3)
    return grey + factor[..., None, None] * (torch.eye(3) - grey)
