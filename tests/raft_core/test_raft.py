from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from raft_core.config import CONFIGS, LARGE, SMALL, RaftConfig
from raft_core.correlation import AllPairs
from raft_core.raft import RAFT, Context, last
from raft_core.upsample import upsample_bilinear, upsample_convex


@pytest.fixture(scope="module", params=CONFIGS, ids=lambda config: config.name)
def model(request: pytest.FixtureRequest) -> RAFT:
    return make(request.param)


def make(config: RaftConfig = SMALL) -> RAFT:
    torch.manual_seed(0)
    model = RAFT(config).eval()
    # Untrained, the flow would hardly move.
    model.update_block.flow_head.conv2.weight.data.mul_(10)
    return model


@pytest.fixture(scope="module")
def frames() -> tuple[Tensor, Tensor]:
    first, second = torch.rand(2, 1, 3, 128, 144, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return first, second


@torch.no_grad()
def ready(model: RAFT, frames: tuple[Tensor, Tensor]) -> tuple[AllPairs, Context]:
    first, second = frames
    return model.correlate(model.encode(first), model.encode(second)), model.read_context(first)


def grid() -> Tensor:
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(18.0), indexing="ij")
    return torch.stack((x, y))[None]


def test_updates_are_computed_only_when_they_are_consumed(frames: tuple[Tensor, Tensor]) -> None:
    model = make()
    runs: list[int] = []
    model.update_block.register_forward_hook(lambda *_: runs.append(1))
    updates = model.updates(*ready(model, frames))
    assert runs == []
    with torch.no_grad():
        next(updates), next(updates)
        assert len(runs) == 2
        model(*frames, 3)
    assert len(runs) == 5


def test_flow_is_upsampled_only_on_request(frames: tuple[Tensor, Tensor]) -> None:
    model = make(LARGE)
    runs: list[int] = []
    assert model.mask_head is not None
    model.mask_head.register_forward_hook(lambda *_: runs.append(1))
    update = model.estimate(*frames, iterations=3)
    assert runs == []
    update.upsampled()
    assert runs == [1]


@torch.no_grad()
def test_the_first_lookup_is_at_the_grid_itself(model: RAFT, frames: tuple[Tensor, Tensor]) -> None:
    update = next(model.updates(*ready(model, frames)))
    assert update.iteration == 0
    assert torch.equal(update.centers, grid())


@torch.no_grad()
def test_the_first_lookup_is_at_the_grid_moved_by_the_initial_flow(model: RAFT, frames: tuple[Tensor, Tensor]) -> None:
    initial = torch.randn(1, 2, 16, 18)
    update = next(model.updates(*ready(model, frames), initial_flow=initial))
    assert torch.equal(update.centers, grid() + initial)
    assert torch.equal(update.motion_features[:, -2:], initial)
    torch.testing.assert_close(update.flow, initial + update.delta)


@torch.no_grad()
def test_each_update_looks_up_and_reads_the_flow_of_the_previous_update(
    model: RAFT, frames: tuple[Tensor, Tensor]
) -> None:
    correlation, context = ready(model, frames)
    flow = torch.zeros(1, 2, 16, 18)
    for number, update in enumerate(itertools.islice(model.updates(correlation, context), 3)):
        assert update.iteration == number
        torch.testing.assert_close(update.centers, grid() + flow)
        torch.testing.assert_close(update.motion_features[:, -2:], flow)
        torch.testing.assert_close(update.correlation_features, correlation.lookup(grid() + flow))
        torch.testing.assert_close(update.flow, flow + update.delta)
        assert bool(update.delta.abs().max() > 0.01)
        flow = update.flow


@torch.no_grad()
def test_an_update_upsamples_as_its_model_was_published(model: RAFT, frames: tuple[Tensor, Tensor]) -> None:
    update = model.estimate(*frames, iterations=2)
    if model.mask_head is None:
        expected = upsample_bilinear(update.flow)
    else:
        expected = upsample_convex(update.flow, model.mask_head(update.hidden))
    assert expected.shape == (1, 2, 128, 144)
    assert torch.equal(update.upsampled(), expected)


@torch.no_grad()
def test_an_estimate_is_the_last_flow_of_forward(model: RAFT, frames: tuple[Tensor, Tensor]) -> None:
    flows = model(*frames, 3)
    assert len(flows) == 3
    torch.testing.assert_close(model.estimate(*frames, iterations=3).upsampled(), flows[-1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [(130, 136), (128, 132), (56, 128), (8, 8)])
def test_images_whose_sides_do_not_suit_the_model_are_refused(size: tuple[int, int]) -> None:
    images = torch.zeros(1, 3, *size)
    message = rf"^images are {size[1]} x {size[0]}: their sides must be multiples of 8, and at least 64; .*Padding"
    with pytest.raises(ValueError, match=message):
        make().estimate(images, images)


@pytest.mark.parametrize("on_demand", [False, True])
@torch.no_grad()
def test_a_model_in_float64_computes_in_float64(frames: tuple[Tensor, Tensor], on_demand: bool) -> None:
    model = make(LARGE)
    expected = model.estimate(*frames, iterations=2).upsampled()
    begun = model.double().begin(*(frame.double() for frame in frames), on_demand=on_demand)
    flow = last(model.updates(begun.correlation, begun.context), 2).upsampled()
    assert flow.dtype == torch.float64
    assert 0 < (flow - expected).abs().max() < 1e-3


@torch.no_grad()
def test_an_initial_flow_of_zero_equals_none(model: RAFT, frames: tuple[Tensor, Tensor]) -> None:
    cold = model.estimate(*frames, iterations=2).flow
    assert torch.equal(model.estimate(*frames, iterations=2, initial_flow=torch.zeros(1, 2, 16, 18)).flow, cold)


@torch.no_grad()
def test_pairs_of_a_batch_do_not_affect_each_other(frames: tuple[Tensor, Tensor]) -> None:
    model = make()
    first, second = frames
    batched = model.estimate(torch.cat((first, second)), torch.cat((second, first)), iterations=3).upsampled()
    forward = model.estimate(first, second, iterations=3).upsampled()
    backward = model.estimate(second, first, iterations=3).upsampled()
    torch.testing.assert_close(batched, torch.cat((forward, backward)), rtol=0, atol=1e-4)


@pytest.mark.parametrize("iterations", [0, -1])
def test_fewer_than_one_iteration_is_refused(iterations: int) -> None:
    with pytest.raises(ValueError, match=f"^iterations must be at least 1, got {iterations}$"):
        last(iter(()), iterations)


def test_gradients_do_not_pass_through_the_centers_of_a_lookup(frames: tuple[Tensor, Tensor]) -> None:
    model = make()
    updates = model.updates(*ready(model, frames))
    next(updates)
    assert not next(updates).centers.requires_grad


@torch.no_grad()
@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_flow_is_float32_under_autocast(config: RaftConfig, frames: tuple[Tensor, Tensor]) -> None:
    model = make(config)
    expected = model.estimate(*frames, iterations=2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        update = model.estimate(*frames, iterations=2)
        upsampled = update.upsampled()
    assert update.flow.dtype == update.centers.dtype == upsampled.dtype == torch.float32
    assert bool((update.flow - expected.flow).abs().mean() < 0.05 * expected.flow.abs().mean())
