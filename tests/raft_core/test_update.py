from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from raft_core.config import LARGE, SMALL, RaftConfig
from raft_core.loss import sequence_loss
from raft_core.raft import RAFT
from raft_core.update import ConvGRU, FlowHead, MotionEncoder, UpdateBlock

SIZES = [SMALL, LARGE]


def named(config: RaftConfig) -> str:
    return config.name


def published_gru(gru: ConvGRU, hidden: Tensor, context: Tensor, motion: Tensor) -> Tensor:
    """princeton-vl update.py: whole convolutions over concatenated inputs."""
    x = torch.cat((context, motion), dim=1)
    both = torch.cat((hidden, x), dim=1)
    update = torch.sigmoid(gru.update_gate(both))
    reset = torch.sigmoid(gru.reset_gate(both))
    candidate = torch.tanh(gru.candidate(torch.cat((reset * hidden, x), dim=1)))
    return (1 - update) * hidden + update * candidate


@pytest.mark.parametrize("kernel", [(1, 5), (5, 1), (3, 3)])
def test_a_prepared_gru_equals_the_published_formula(kernel: tuple[int, int]) -> None:
    torch.manual_seed(0)
    gru = ConvGRU(hidden_channels=6, context_channels=5, motion_channels=4, kernel=kernel)
    hidden, context, motion = torch.randn(2, 6, 7, 9).tanh(), torch.randn(2, 5, 7, 9).relu(), torch.randn(2, 4, 7, 9)
    prepared = gru.prepare(context)
    for _ in range(3):
        expected = published_gru(gru, hidden, context, motion)
        torch.testing.assert_close(gru(hidden, motion, prepared), expected, rtol=0, atol=1e-5)
        hidden, motion = expected, 2 * motion


@pytest.mark.parametrize("config", SIZES, ids=named)
def test_an_update_block_runs_its_passes_in_the_published_order(config: RaftConfig) -> None:
    torch.manual_seed(0)
    block = UpdateBlock(config)
    hidden = torch.randn(1, config.hidden_channels, 6, 7).tanh()
    context = torch.randn(1, config.context_channels, 6, 7).relu()
    correlation, flow = torch.randn(1, config.correlation_channels, 6, 7), torch.randn(1, 2, 6, 7)
    output = block(hidden, correlation, flow, block.prepare(context))
    motion = block.motion_encoder(correlation, flow)
    for name in sorted(block.gru):  # pass1 is horizontal in the large model, pass2 vertical
        gru = block.gru[name]
        assert isinstance(gru, ConvGRU)
        hidden = published_gru(gru, hidden, context, motion)
    torch.testing.assert_close(output.motion_features, motion, rtol=0, atol=0)
    torch.testing.assert_close(output.hidden, hidden, rtol=0, atol=1e-5)
    torch.testing.assert_close(output.delta, block.flow_head(hidden), rtol=0, atol=1e-5)


def test_the_large_model_updates_along_rows_first_and_then_along_columns() -> None:
    kernels = [gru.update_gate.kernel_size for gru in UpdateBlock(LARGE).passes()]
    assert kernels == [(1, 5), (5, 1)]


def test_motion_features_end_with_the_flow_itself() -> None:
    torch.manual_seed(0)
    encoder = MotionEncoder(correlation_channels=8, correlation_widths=(6,), flow_widths=(6, 4), outputs=10)
    flow = torch.randn(2, 2, 5, 6)
    features = encoder(torch.randn(2, 8, 5, 6), flow)
    assert features.shape == (2, 10, 5, 6)
    assert torch.equal(features[:, -2:], flow)


def test_a_motion_encoder_concatenates_correlation_before_flow() -> None:
    torch.manual_seed(0)
    encoder = MotionEncoder(correlation_channels=8, correlation_widths=(6, 5), flow_widths=(4, 3), outputs=10)
    assert encoder.correlation2 is not None
    correlation, flow = torch.randn(1, 8, 5, 6), torch.randn(1, 2, 5, 6)
    read = F.relu(encoder.correlation2(F.relu(encoder.correlation1(correlation))))
    moved = F.relu(encoder.flow2(F.relu(encoder.flow1(flow))))
    expected = F.relu(encoder.merge(torch.cat((read, moved), dim=1)))
    torch.testing.assert_close(encoder(correlation, flow)[:, :-2], expected)


def test_a_flow_head_is_two_convolutions_with_a_relu_between() -> None:
    torch.manual_seed(0)
    head = FlowHead(hidden_channels=4, inner_channels=6)
    hidden = torch.randn(1, 4, 5, 6)
    torch.testing.assert_close(head(hidden), nn.Sequential(head.conv1, nn.ReLU(), head.conv2)(hidden))


@pytest.mark.parametrize(("config", "count"), [(SMALL, 990_162), (LARGE, 5_257_536)], ids=["small", "large"])
def test_a_raft_has_the_published_number_of_parameters(config: RaftConfig, count: int) -> None:
    assert sum(parameter.numel() for parameter in RAFT(config).parameters()) == count


@pytest.mark.parametrize("config", SIZES, ids=named)
def test_a_training_step_reaches_every_parameter(config: RaftConfig) -> None:
    torch.manual_seed(0)
    model = RAFT(config).train()
    first, second = torch.rand(2, 1, 3, 128, 136) * 2 - 1
    flows = model(first, second, 2)
    loss = sequence_loss(flows, torch.randn_like(flows[0]), torch.ones(1, 128, 136), gamma=0.8)
    loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, f"{name} gets no gradient"
        assert bool(parameter.grad.isfinite().all()), name
        # Normalisation removes a bias before it, so its gradient is rounding noise.
        if not name.endswith(".bias"):
            assert bool(parameter.grad.abs().max() > 0), f"the gradient of {name} is zero"
    for name, gru in model.update_block.gru.named_children():
        assert isinstance(gru, ConvGRU)
        for gate in (gru.update_gate, gru.reset_gate, gru.candidate):
            assert gate.weight.grad is not None and gate.bias is not None and gate.bias.grad is not None
            for part in torch.split(gate.weight.grad, gru.split, dim=1):
                assert bool(part.abs().amax(dim=(0, 2, 3)).gt(0).float().mean() > 0.5), f"a part of {name} is zero"
            assert bool(gate.bias.grad.abs().max() > 0)
