from __future__ import annotations

import pytest
import torch
from torch import Tensor

from flowcli.training.renew_context import SPREAD, renew_context
from raft_core.config import LARGE
from raft_core.raft import RAFT, Context


@pytest.fixture
def images() -> Tensor:
    coarse = torch.rand(6, 3, 20, 26, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return torch.nn.functional.interpolate(coarse, size=(160, 208), mode="bicubic").clamp(-1, 1)


@pytest.fixture
def model() -> RAFT:
    torch.manual_seed(0)
    return RAFT().eval()


def flow_of(model: RAFT, images: Tensor) -> Tensor:
    return model.estimate(images[:2], images[2:4], iterations=3).flow


def test_reinitialised_context_channels_have_mean_zero_and_the_chosen_spread(model: RAFT, images: Tensor) -> None:
    renew_context(model, images)
    with torch.no_grad():
        _, context = model.context_encoder(images).split((96, 64), dim=1)
    torch.testing.assert_close(context.mean(dim=(0, 2, 3)), torch.zeros(64), atol=1e-4, rtol=0)
    torch.testing.assert_close(context.std(dim=(0, 2, 3)), torch.full((64,), SPREAD), atol=1e-3, rtol=0)


def test_the_reinitialised_trunk_computes_the_features_of_the_feature_encoder(model: RAFT, images: Tensor) -> None:
    # Instance and batch statistics of one image differ only by n or n - 1, which is negligible in a large one.
    one = torch.nn.functional.interpolate(images[:1], size=(480, 624), mode="bilinear")
    renew_context(model, one)
    seen = []
    for encoder in (model.feature_encoder, model.context_encoder):
        encoder.head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        encoder(one)
    torch.testing.assert_close(seen[0], seen[1], atol=0.02, rtol=0)


def test_the_flow_after_reinitialising_is_that_without_a_context(model: RAFT, images: Tensor) -> None:
    hidden = model.read_context(images).hidden.mean(dim=(0, 2, 3), keepdim=True)
    silent = Context(hidden.expand(2, -1, 20, 26).contiguous(), torch.zeros(2, 64, 20, 26))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "read_context", lambda _: silent)
        expected = flow_of(model, images)
    assert not torch.allclose(flow_of(model, images), expected, atol=1e-3)
    renew_context(model, images)
    torch.testing.assert_close(flow_of(model, images), expected, atol=1e-4, rtol=1e-4)


def test_reinitialising_is_deterministic(images: Tensor) -> None:
    states = []
    for seed in (1, 2):  # of the global generator, which has no effect
        torch.manual_seed(0)
        model = RAFT().eval()
        torch.manual_seed(seed)
        renew_context(model, images)
        states.append(model.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_normalised_context_encoder_is_refused(images: Tensor) -> None:
    with pytest.raises(ValueError, match="normalised"):
        renew_context(RAFT(LARGE), images)
