"""RAFT: Recurrent All-Pairs Field Transforms for Optical Flow (Teed and Deng, ECCV 2020)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from raft_core.config import SMALL, RaftConfig
from raft_core.correlation import AllPairs
from raft_core.encoder import FeatureEncoder
from raft_core.grid import pixel_grid
from raft_core.images import STRIDE
from raft_core.on_demand import OnDemand
from raft_core.precision import wide
from raft_core.update import UpdateBlock
from raft_core.upsample import FACTOR, MaskHead, upsample_bilinear, upsample_convex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Float
    from torch import Tensor

    from raft_core.correlation import Correlation
    from raft_core.update import PreparedPass, UpdateOutput

MOVING = 0.05
"""The share of cells that may still move when updates have converged; on average, calm cells would hide them."""


@dataclass(frozen=True, eq=False)
class Context:
    """The context encoder's output for the first frame: the initial hidden state, and the constant context features."""

    hidden: Float[Tensor, "batch hidden rows columns"]
    context: Float[Tensor, "batch context rows columns"]


@dataclass(frozen=True, eq=False)
class EncodedPair:
    """The input of a pair's updates: the features of both frames, their correlation, and the first frame's context."""

    first_features: Float[Tensor, "batch channels rows columns"]
    second_features: Float[Tensor, "batch channels rows columns"]
    correlation: Correlation
    context: Context


@dataclass(frozen=True, eq=False)
class Update:
    """The inputs and outputs of one update; `centers`, `delta` and `flow` are in pixels of the 1/8 grid.

    `centers` are the points that the flow before this update leads to, where the correlation is looked up; the last two
    channels of `motion_features` are that flow. `flow` is the flow after this update.
    """

    iteration: int
    centers: Float[Tensor, "batch 2 rows columns"]
    correlation_features: Float[Tensor, "batch correlation rows columns"]
    motion_features: Float[Tensor, "batch motion rows columns"]
    hidden: Float[Tensor, "batch hidden rows columns"]
    delta: Float[Tensor, "batch 2 rows columns"]
    flow: Float[Tensor, "batch 2 rows columns"]
    mask_head: MaskHead | None

    def upsampled(self) -> Float[Tensor, "batch 2 height width"]:
        """The flow at full resolution, in full-resolution pixels; computed at each call."""
        if self.mask_head is None:
            return upsample_bilinear(self.flow)
        return upsample_convex(self.flow, wide(self.mask_head(self.hidden)))


class RAFT(nn.Module):
    """RAFT as published. Images are RGB in [-1, 1], (batch, 3, height, width), both sides multiples of 8.

    `metadata` is what the file of its weights states beside them.
    """

    def __init__(self, config: RaftConfig = SMALL) -> None:
        super().__init__()
        self.config = config
        self.metadata: dict[str, str] = {}
        self.feature_encoder = FeatureEncoder(config, outputs=config.feature_channels, norm=config.feature_norm)
        self.context_encoder = FeatureEncoder(
            config, outputs=config.hidden_channels + config.context_channels, norm=config.context_norm
        )
        self.update_block = UpdateBlock(config)
        self.mask_head = None
        if config.upsampling == "convex":
            self.mask_head = MaskHead(hidden_channels=config.hidden_channels, inner_channels=config.flow_head_channels)

    def encode(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch channels rows columns"]:
        """Features to correlate, at 1/8 resolution. A frame's features serve every pair that it is part of.

        Raises ValueError for sides that are no multiples of 8, or too small for the levels of correlation.
        """
        height, width = images.shape[-2:]
        smallest = STRIDE << (self.config.correlation_levels - 1)
        if height % STRIDE or width % STRIDE or min(height, width) < smallest:
            raise ValueError(
                f"images are {width} x {height}: their sides must be multiples of {STRIDE}, and at least {smallest}; "
                "raft_core.images.Padding pads them"
            )
        features: Tensor = self.feature_encoder(images)
        return features

    def read_context(self, first: Float[Tensor, "batch 3 height width"]) -> Context:
        """The context of a pair's first frame, on whose grid the flow lies."""
        hidden, context = self.context_encoder(first).split(
            (self.config.hidden_channels, self.config.context_channels), dim=1
        )
        return Context(torch.tanh(hidden), torch.relu(context))

    def correlate(
        self,
        first_features: Float[Tensor, "batch channels rows columns"],
        second_features: Float[Tensor, "batch channels rows columns"],
        *,
        on_demand: bool = False,
    ) -> Correlation:
        """The correlation for `updates`: the volume of all pairs, or, for large frames, the same values on demand."""
        return (OnDemand if on_demand else AllPairs)(
            first_features,
            second_features,
            levels=self.config.correlation_levels,
            radius=self.config.lookup_radius,
        )

    def begin(
        self,
        first: Float[Tensor, "batch 3 height width"],
        second: Float[Tensor, "batch 3 height width"],
        *,
        on_demand: bool = False,
    ) -> EncodedPair:
        """Encodes both frames, correlates them and reads the first one's context."""
        first_features, second_features = self.encode(torch.cat((first, second))).chunk(2)
        correlation = self.correlate(first_features, second_features, on_demand=on_demand)
        return EncodedPair(first_features, second_features, correlation, self.read_context(first))

    def updates(
        self,
        correlation: Correlation,
        context: Context,
        *,
        initial_flow: Float[Tensor, "batch 2 rows columns"] | None = None,
    ) -> Iterator[Update]:
        """Yields updates of the flow without end, from zero or from `initial_flow` (1/8 grid); RAFT section 3.3.

        Each is computed when it is consumed. Gradients pass through its delta, not through the flow before it.
        """
        hidden = context.hidden
        prepared = self.update_block.prepare(context.context)
        rows, columns = hidden.shape[-2:]
        grid = pixel_grid(rows, columns, like=wide(hidden)).expand(hidden.shape[0], -1, -1, -1)
        flow = torch.zeros_like(grid) if initial_flow is None else initial_flow.to(grid)
        iteration = 0
        while True:
            flow = flow.detach()
            centers = grid + flow
            correlation_features, output = self.update(correlation, centers, hidden, flow, prepared)
            hidden, delta = output.hidden, wide(output.delta)
            flow = flow + delta
            yield Update(
                iteration=iteration,
                centers=centers,
                correlation_features=correlation_features,
                motion_features=output.motion_features,
                hidden=hidden,
                delta=delta,
                flow=flow,
                mask_head=self.mask_head,
            )
            iteration += 1

    def update(
        self,
        correlation: Correlation,
        centers: Float[Tensor, "batch 2 rows columns"],
        hidden: Float[Tensor, "batch hidden rows columns"],
        flow: Float[Tensor, "batch 2 rows columns"],
        prepared: tuple[PreparedPass, ...],
    ) -> tuple[Float[Tensor, "batch correlation rows columns"], UpdateOutput]:
        """One lookup around `centers` and one application of the update block: the part that `updates` repeats."""
        correlation_features = correlation.lookup(centers)
        return correlation_features, self.update_block(hidden, correlation_features, flow, prepared)

    def forward(
        self,
        first: Float[Tensor, "batch 3 height width"],
        second: Float[Tensor, "batch 3 height width"],
        iterations: int,
    ) -> list[Float[Tensor, "batch 2 height width"]]:
        """Full-resolution flow from first to second after each of `iterations` updates, for the sequence loss."""
        encoded = self.begin(first, second)
        updates = self.updates(encoded.correlation, encoded.context)
        return [update.upsampled() for _, update in zip(range(iterations), updates, strict=False)]

    @torch.no_grad()
    def estimate(
        self,
        first: Float[Tensor, "batch 3 height width"],
        second: Float[Tensor, "batch 3 height width"],
        *,
        iterations: int = 12,
        initial_flow: Float[Tensor, "batch 2 rows columns"] | None = None,
    ) -> Update:
        """The last of `iterations` updates from first to second: its `flow`, and `upsampled()` for full resolution."""
        encoded = self.begin(first, second)
        return last(self.updates(encoded.correlation, encoded.context, initial_flow=initial_flow), iterations)


def converge(updates: Iterator[Update], *, at_most: int, tolerance: float) -> tuple[Update, list[int]]:
    """Every pair's flow after the first update that hardly changes it, and its number of updates.

    It does so if it moves at most a twentieth of the cells by more than `tolerance`, in full-resolution pixels; a pair
    that does not converge ends after `at_most` updates. Its result does not depend on the other pairs of the batch.
    Raises ValueError if `at_most` is below 1.
    """
    if at_most < 1:
        raise ValueError(f"at_most must be at least 1, got {at_most}")
    taken: list[int] = []
    for update in updates:
        settled = is_settled(update, tolerance=tolerance)
        if not taken:
            flow, hidden, taken = update.flow.clone(), update.hidden.clone(), [0] * len(settled)
        for pair, rests in enumerate(settled):
            if taken[pair]:
                continue
            flow[pair], hidden[pair] = update.flow[pair], update.hidden[pair]
            if rests or update.iteration + 1 == at_most:
                taken[pair] = update.iteration + 1
        if all(taken):
            break
    return replace(update, flow=flow, hidden=hidden), taken


def is_settled(update: Update, *, tolerance: float) -> list[bool]:
    """Whether an update moves at most a twentieth of a pair's cells by more than `tolerance` full-resolution pixels."""
    share = (FACTOR * update.delta.norm(dim=1) > tolerance).float().mean(dim=(1, 2))
    return [moving <= MOVING for moving in share.tolist()]


def last(updates: Iterator[Update], iterations: int) -> Update:
    """The last of the first `iterations` updates; raises ValueError if `iterations` is below 1."""
    if iterations < 1:
        raise ValueError(f"iterations must be at least 1, got {iterations}")
    for _ in range(iterations - 1):
        next(updates)
    return next(updates)
