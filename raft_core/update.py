"""The update operator: motion encoder, convolutional GRU and flow head (RAFT section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from raft_core.convolution import Convolution, convolve

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from raft_core.config import RaftConfig


class MotionEncoder(nn.Module):
    """Correlation features and the flow that they were looked up at → motion features."""

    def __init__(
        self,
        *,
        correlation_channels: int,
        correlation_widths: tuple[int, ...],
        flow_widths: tuple[int, int],
        outputs: int,
    ) -> None:
        super().__init__()
        widths = (correlation_channels, *correlation_widths)
        self.correlation1 = nn.Conv2d(widths[0], widths[1], 1)
        # The small model has one layer here.
        self.correlation2 = Convolution(widths[1], widths[2], 3) if len(widths) > 2 else None
        self.flow1 = nn.Conv2d(2, flow_widths[0], 7, padding=3)
        self.flow2 = Convolution(flow_widths[0], flow_widths[1], 3)
        self.merge = Convolution(widths[-1] + flow_widths[1], outputs - 2, 3)

    def forward(
        self,
        correlation_features: Float[Tensor, "batch correlation rows columns"],
        flow: Float[Tensor, "batch 2 rows columns"],
    ) -> Float[Tensor, "batch outputs rows columns"]:
        """Motion features; the last two channels are the flow itself."""
        correlation = torch.relu(self.correlation1(correlation_features))
        if self.correlation2 is not None:
            correlation = torch.relu(self.correlation2(correlation))
        motion = torch.relu(self.flow2(torch.relu(self.flow1(flow))))
        merged = torch.relu(self.merge(torch.cat((correlation, motion), dim=1)))
        return torch.cat((merged, flow.to(merged.dtype)), dim=1)


@dataclass(frozen=True, eq=False)
class PreparedPass:
    """One GRU pass prepared for a pair: the weights of the inputs that change, and the context's part of the sums."""

    gates_weight: Float[Tensor, "2*hidden hidden+motion kh kw"]
    candidate_weight: Float[Tensor, "hidden hidden+motion kh kw"]
    gates_context: Float[Tensor, "batch 2*hidden rows columns"]
    candidate_context: Float[Tensor, "batch hidden rows columns"]


class ConvGRU(nn.Module):
    """One pass of a convolutional gated recurrent unit (Cho et al. 2014; RAFT equations 3 to 6).

    Its input is [hidden, context, motion]. A convolution is linear in its input, so the context's part, which no
    update changes, is computed once by `prepare`; `forward` adds the rest.
    """

    def __init__(
        self, *, hidden_channels: int, context_channels: int, motion_channels: int, kernel: tuple[int, int]
    ) -> None:
        super().__init__()
        self.split = [hidden_channels, context_channels, motion_channels]
        padding = (kernel[0] // 2, kernel[1] // 2)
        inputs = sum(self.split)
        self.update_gate = nn.Conv2d(inputs, hidden_channels, kernel, padding=padding)
        self.reset_gate = nn.Conv2d(inputs, hidden_channels, kernel, padding=padding)
        self.candidate = nn.Conv2d(inputs, hidden_channels, kernel, padding=padding)

    def prepare(self, context: Float[Tensor, "batch context rows columns"]) -> PreparedPass:
        """Computes the context's part of both gates and of the candidate."""
        gates = torch.cat((self.update_gate.weight, self.reset_gate.weight))
        gates_bias = torch.cat((required(self.update_gate.bias), required(self.reset_gate.bias)))
        gates_hidden, gates_context, gates_motion = torch.split(gates, self.split, dim=1)
        hidden, candidate_context, motion = torch.split(self.candidate.weight, self.split, dim=1)
        return PreparedPass(
            gates_weight=torch.cat((gates_hidden, gates_motion), dim=1),
            candidate_weight=torch.cat((hidden, motion), dim=1),
            gates_context=convolve(context, gates_context, gates_bias),
            candidate_context=convolve(context, candidate_context, self.candidate.bias),
        )

    def forward(
        self,
        hidden: Float[Tensor, "batch hidden rows columns"],
        motion: Float[Tensor, "batch motion rows columns"],
        prepared: PreparedPass,
    ) -> Float[Tensor, "batch hidden rows columns"]:
        """The next hidden state."""
        update, reset = self.gates(hidden, motion, prepared)
        inputs = torch.cat((reset * hidden, motion), dim=1)
        candidate = convolve(inputs, prepared.candidate_weight) + prepared.candidate_context
        return torch.lerp(hidden, torch.tanh(candidate), update)

    def gates(
        self,
        hidden: Float[Tensor, "batch hidden rows columns"],
        motion: Float[Tensor, "batch motion rows columns"],
        prepared: PreparedPass,
    ) -> tuple[Float[Tensor, "batch hidden rows columns"], Float[Tensor, "batch hidden rows columns"]]:
        """The update gate, the share of the hidden state that is replaced, and the reset gate, both from 0 to 1."""
        gates = convolve(torch.cat((hidden, motion), dim=1), prepared.gates_weight) + prepared.gates_context
        update, reset = torch.sigmoid(gates).chunk(2, dim=1)
        return update, reset


class FlowHead(nn.Module):
    """Hidden state → delta, the change of the flow."""

    def __init__(self, *, hidden_channels: int, inner_channels: int) -> None:
        super().__init__()
        self.conv1 = Convolution(hidden_channels, inner_channels, 3)
        self.conv2 = nn.Conv2d(inner_channels, 2, 3, padding=1)

    def forward(self, hidden: Float[Tensor, "batch hidden rows columns"]) -> Float[Tensor, "batch 2 rows columns"]:
        """The flow's change, in pixels of the 1/8 grid."""
        delta: Tensor = self.conv2(torch.relu(self.conv1(hidden)))
        return delta


@dataclass(frozen=True, eq=False)
class UpdateOutput:
    """The output of the update block; `delta` is in pixels of the 1/8 grid."""

    motion_features: Float[Tensor, "batch motion rows columns"]
    hidden: Float[Tensor, "batch hidden rows columns"]
    delta: Float[Tensor, "batch 2 rows columns"]


class UpdateBlock(nn.Module):
    """Motion encoder, recurrent unit and flow head: one update (RAFT section 3.3)."""

    def __init__(self, config: RaftConfig) -> None:
        super().__init__()
        self.motion_encoder = MotionEncoder(
            correlation_channels=config.correlation_channels,
            correlation_widths=config.correlation_widths,
            flow_widths=config.flow_widths,
            outputs=config.motion_channels,
        )
        # Passes are numbered from 1, as published checkpoints number them.
        self.gru = nn.ModuleDict()
        for number, kernel in enumerate(config.gru_kernels, start=1):
            self.gru[f"pass{number}"] = ConvGRU(
                hidden_channels=config.hidden_channels,
                context_channels=config.context_channels,
                motion_channels=config.motion_channels,
                kernel=kernel,
            )
        self.flow_head = FlowHead(hidden_channels=config.hidden_channels, inner_channels=config.flow_head_channels)

    def prepare(self, context: Float[Tensor, "batch context rows columns"]) -> tuple[PreparedPass, ...]:
        """Computes the context's part of every pass, which is the same in all updates of a pair."""
        return tuple(gru.prepare(context) for gru in self.passes())

    def forward(
        self,
        hidden: Float[Tensor, "batch hidden rows columns"],
        correlation_features: Float[Tensor, "batch correlation rows columns"],
        flow: Float[Tensor, "batch 2 rows columns"],
        prepared: tuple[PreparedPass, ...],
    ) -> UpdateOutput:
        """One update: motion features, the next hidden state and the flow's change."""
        motion_features = self.motion_encoder(correlation_features, flow)
        for gru, ready in zip(self.passes(), prepared, strict=True):
            hidden = gru(hidden, motion_features, ready)
        return UpdateOutput(motion_features, hidden, self.flow_head(hidden))

    def passes(self) -> list[ConvGRU]:
        """The passes of the recurrent unit, in order."""
        return [gru for gru in self.gru.values() if isinstance(gru, ConvGRU)]


def required(bias: Tensor | None) -> Tensor:
    """A bias that is known to exist, for the type checker."""
    assert bias is not None  # noqa: S101
    return bias
