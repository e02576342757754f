"""Our RAFT against torchvision's with the same weights, which equals princeton-vl's bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from raft_core import checkpoint
from raft_core.config import CONFIGS, RaftConfig
from raft_core.raft import RAFT
from tests.peers import add_mask_predictor, torchvision_raft
from tests.published_names import published_state

pytestmark = pytest.mark.peer


def make_theirs(size: str) -> torch.nn.Module:
    name, _, convex = size.partition("-")
    model: torch.nn.Module = getattr(torchvision_raft(), f"raft_{name}")(weights=None).eval()
    if convex:
        add_mask_predictor(model)
    return model


def frames() -> tuple[Tensor, Tensor]:
    first, second = torch.rand(2, 1, 3, 184, 248, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return first, second


def randomise(model: torch.nn.Module, gain: float) -> None:
    """Sets random BatchNorm statistics, and scales the flow head by `gain`."""
    generator = torch.Generator().manual_seed(3)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    model.update_block.flow_head.conv2.weight.data.mul_(gain)
    model.update_block.flow_head.conv2.bias.data.mul_(gain)


@torch.no_grad()
def assert_same_flow(ours: RAFT, theirs: torch.nn.Module, label: str) -> float:
    first, second = frames()
    expected = theirs(first, second, num_flow_updates=12)[-1]
    difference = (ours.estimate(first, second, iterations=12).upsampled() - expected).abs().max().item()
    largest = expected.abs().max().item()
    print(f"\n{label}: flow up to {largest:.1f} px, difference {difference:.1e} px")
    assert difference < 1e-3
    return largest


@pytest.mark.parametrize(
    ("size", "gain", "about"),
    [
        ("small", 0.1, 2),
        ("small", 1, 20),
        ("small", 3, 60),
        ("small", 10, 200),
        ("large", 0.2, 2),
        ("large", 2, 20),
        ("large", 6, 60),
        ("large", 20, 200),
    ],
)
def test_same_weights_give_the_flow_of_torchvision(tmp_path: Path, size: str, gain: float, about: float) -> None:
    torch.manual_seed(0)
    theirs = make_theirs(size)
    randomise(theirs, gain)
    torch.save(theirs.state_dict(), tmp_path / "raft.pth")
    largest = assert_same_flow(checkpoint.load(tmp_path / "raft.pth"), theirs, f"{size}, gain {gain}")
    assert 0.5 * about < largest < 2 * about


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_weights_that_we_saved_load_strictly_into_torchvision(tmp_path: Path, config: RaftConfig) -> None:
    torch.manual_seed(1)
    model = RAFT(config)
    randomise(model, 3)
    checkpoint.save(model, tmp_path / "raft.safetensors")
    ours = checkpoint.load(tmp_path / "raft.safetensors")
    theirs = make_theirs(config.name.removeprefix("raft-"))
    theirs.load_state_dict(published_state(ours, "torchvision"), strict=True)
    assert_same_flow(ours, theirs, f"{config.name}, saved by us")
