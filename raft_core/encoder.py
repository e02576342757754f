"""The convolutional encoder that turns an image into features at 1/8 resolution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from raft_core.config import Norm, RaftConfig


class InstanceNorm(nn.Module):
    """Normalises every channel of every image to mean 0 and variance 1 (Ulyanov et al. 2016)."""

    def forward(self, x: Float[Tensor, "batch channels h w"]) -> Float[Tensor, "batch channels h w"]:
        """The normalised features, in the precision of `x`."""
        # One group per channel is instance norm, and PyTorch's group norm is up to five times as fast on a CPU.
        with torch.autocast(x.device.type, enabled=False):
            return F.group_norm(x, x.shape[1])


class ConvNorm(nn.Module):
    """A convolution followed by its normalisation."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int, norm: Norm, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2)
        self.norm = make_norm(norm, outputs)

    def forward(self, x: Float[Tensor, "batch inputs h w"]) -> Float[Tensor, "batch outputs h2 w2"]:
        """Convolves and normalises."""
        normalised: Tensor = self.norm(self.conv(x))
        return normalised


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions around a shortcut.

    Unlike in ResNet, a ReLU follows the last normalisation before the addition (princeton-vl extractor.py).
    """

    def __init__(self, inputs: int, outputs: int, *, norm: Norm, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
        self.norm1 = make_norm(norm, outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm2 = make_norm(norm, outputs)
        self.shortcut = make_shortcut(inputs, outputs, norm=norm, stride=stride)

    def forward(self, x: Float[Tensor, "batch inputs h w"]) -> Float[Tensor, "batch outputs h2 w2"]:
        """Adds the branch to the shortcut."""
        y = torch.relu_(self.norm1(self.conv1(x)))
        y = torch.relu_(self.norm2(self.conv2(y)))
        return torch.relu_(self.shortcut(x) + y)


class BottleneckBlock(nn.Module):
    """1×1, 3×3 and 1×1 convolutions, a quarter as wide inside, around a shortcut."""

    def __init__(self, inputs: int, outputs: int, *, norm: Norm, stride: int) -> None:
        super().__init__()
        inner = outputs // 4
        self.conv1 = nn.Conv2d(inputs, inner, 1)
        self.norm1 = make_norm(norm, inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride=stride, padding=1)
        self.norm2 = make_norm(norm, inner)
        self.conv3 = nn.Conv2d(inner, outputs, 1)
        self.norm3 = make_norm(norm, outputs)
        self.shortcut = make_shortcut(inputs, outputs, norm=norm, stride=stride)

    def forward(self, x: Float[Tensor, "batch inputs h w"]) -> Float[Tensor, "batch outputs h2 w2"]:
        """Adds the branch to the shortcut."""
        y = torch.relu_(self.norm1(self.conv1(x)))
        y = torch.relu_(self.norm2(self.conv2(y)))
        y = torch.relu_(self.norm3(self.conv3(y)))
        return torch.relu_(self.shortcut(x) + y)


class FeatureEncoder(nn.Module):
    """Image → features at 1/8 resolution; RAFT's feature and context encoders differ in width and norm only."""

    def __init__(self, config: RaftConfig, *, outputs: int, norm: Norm) -> None:
        super().__init__()
        block = {"residual": ResidualBlock, "bottleneck": BottleneckBlock}[config.block]
        self.norm = norm
        stem, *widths = config.encoder_widths
        self.stem = ConvNorm(3, stem, kernel=7, norm=norm, stride=2)
        # Stages are numbered from 1, as published checkpoints number them.
        self.stages = nn.ModuleDict()
        inputs = stem
        for number, (width, stride) in enumerate(zip(widths, (1, 2, 2), strict=True), start=1):
            first = block(inputs, width, norm=norm, stride=stride)
            self.stages[str(number)] = nn.Sequential(first, block(width, width, norm=norm, stride=1))
            inputs = width
        self.head = nn.Conv2d(inputs, outputs, 1)
        initialise(self)

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch outputs rows columns"]:
        """Features of images whose values lie in [-1, 1] and whose sides are multiples of 8."""
        x = torch.relu_(self.stem(images.contiguous(memory_format=self.layout(images))))
        for stage in self.stages.values():
            x = stage(x)
        features: Tensor = self.head(x)
        return features

    def layout(self, images: Tensor) -> torch.memory_format:
        """The memory format: channels-last, which is fastest, unless it is slow or inexact."""
        # On a CPU it nearly doubles the time of a training step, and PyTorch's group norm then takes the variance as
        # the difference of two sums in float32, which is exact enough for bfloat16 only.
        exact = self.norm == "instance" and not torch.is_autocast_enabled("cpu")
        unsuited = images.device.type == "cpu" and (exact or torch.is_grad_enabled())
        return torch.contiguous_format if unsuited else torch.channels_last


def make_norm(norm: Norm, channels: int) -> nn.Module:
    """The named normalisation; instance norm has neither weights nor running statistics."""
    match norm:
        case "instance":
            return InstanceNorm()
        case "batch":
            return nn.BatchNorm2d(channels)
        case "none":
            return nn.Identity()


def make_shortcut(inputs: int, outputs: int, *, norm: Norm, stride: int) -> nn.Module:
    """A strided 1×1 projection where the resolution changes, else nothing."""
    return nn.Identity() if stride == 1 else ConvNorm(inputs, outputs, kernel=1, norm=norm, stride=stride)


def initialise(encoder: nn.Module) -> None:
    """Initialises convolutions as RAFT does: Kaiming normal, fan-out."""
    for module in encoder.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
