"""Our RAFT against torchvision's with the same weights, which equals princeton-vl's bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from raft_core import checkpoint
from raft_core.config import CONFIGS, RaftConfig
from raft_core.raft import RAFT, last
from tests.peers import make_theirs, randomise, same_weights
from tests.published_names import published_state

pytestmark = pytest.mark.peer


def frames(*, batch: int = 1, height: int = 184, width: int = 248) -> tuple[Tensor, Tensor]:
    first, second = torch.rand(2, batch, 3, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return first, second


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


@pytest.mark.parametrize("size", ["small", "large"])
@torch.no_grad()
def test_in_float64_the_flow_of_a_batch_is_that_of_torchvision(monkeypatch: pytest.MonkeyPatch, size: str) -> None:
    ours, theirs = same_weights(monkeypatch, size, gain=3)
    images = [image.double() for image in frames(batch=2, height=128, width=136)]
    expected = theirs(*images, num_flow_updates=3)[-1]
    assert expected.abs().max() > 1
    for on_demand in (False, True):
        begun = ours.begin(*images, on_demand=on_demand)
        flow = last(ours.updates(begun.correlation, begun.context), 3).upsampled()
        assert flow.dtype == torch.float64
        # torchvision divides by the square root of the number of channels in float32.
        assert (flow - expected).abs().max() < 1e-6
