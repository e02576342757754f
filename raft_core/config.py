"""The architecture of a RAFT: the two published models, and the small one with learned upsampling."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Norm = Literal["instance", "batch", "none"]


@dataclass(frozen=True)
class RaftConfig:
    """The layers and widths of a RAFT (Teed and Deng 2020, figures 5 to 8 of the supplement).

    `encoder_widths` are the channels of the stem and the three stages. A tuple of convolution widths lists one width
    per layer. `gru_kernels` holds one (height, width) kernel per pass of the recurrent unit. The mask head of convex
    upsampling is as wide as the flow head, as in the published model.
    """

    name: str
    block: Literal["residual", "bottleneck"]
    encoder_widths: tuple[int, int, int, int]
    feature_channels: int
    feature_norm: Norm
    context_norm: Norm
    hidden_channels: int
    context_channels: int
    lookup_radius: int
    correlation_widths: tuple[int, ...]
    flow_widths: tuple[int, int]
    motion_channels: int
    gru_kernels: tuple[tuple[int, int], ...]
    flow_head_channels: int
    upsampling: Literal["convex", "bilinear"]
    correlation_levels: int = 4

    @property
    def correlation_channels(self) -> int:
        """The number of values that one lookup gives per cell."""
        return self.correlation_levels * (2 * self.lookup_radius + 1) ** 2


LARGE = RaftConfig(
    name="raft-large",
    block="residual",
    encoder_widths=(64, 64, 96, 128),
    feature_channels=256,
    feature_norm="instance",
    context_norm="batch",
    hidden_channels=128,
    context_channels=128,
    lookup_radius=4,
    correlation_widths=(256, 192),
    flow_widths=(128, 64),
    motion_channels=128,
    gru_kernels=((1, 5), (5, 1)),
    flow_head_channels=256,
    upsampling="convex",
)

SMALL = RaftConfig(
    name="raft-small",
    block="bottleneck",
    encoder_widths=(32, 32, 64, 96),
    feature_channels=128,
    feature_norm="instance",
    context_norm="none",
    hidden_channels=96,
    context_channels=64,
    lookup_radius=3,
    correlation_widths=(96,),
    flow_widths=(64, 32),
    motion_channels=82,
    gru_kernels=((3, 3),),
    flow_head_channels=128,
    upsampling="bilinear",
)

SMALL_CONVEX = replace(SMALL, name="raft-small-convex", upsampling="convex")
"""The small model with the mask head of the large one, at half its width."""

CONFIGS = (LARGE, SMALL, SMALL_CONVEX)
