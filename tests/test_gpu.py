"""Tests that need a CUDA device: `python -m pytest -m gpu`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import torch

import flowcli
from flowcli.media.demo_clip import fan_frames_at
from flowcli.media.frames import Frame, FramePair
from flowcli.model.device import PRECISIONS, autocast
from flowcli.model.estimator import FlowEstimator
from flowcli.model.quality import Effort
from flowcli.model.refinement import LEARNED, Refinement
from flowcli.model.settings import Settings
from flowcli.model.weights import DEFAULT, find, load
from flowcli.training.batches import draw_rendered
from flowcli.training.cuda_graphs import CudaGraphStep
from flowcli.training.learning import learn, learning_of
from flowcli.training.loop import train_steps
from flowcli.training.openings import COLD, Opening, draw_starts
from flowcli.training.recipes import Recipe, Stage
from flowcli.training.state import TrainingState
from flowcli.training.synthesis import TextureBank, render
from raft_core.config import LARGE, SMALL, RaftConfig
from raft_core.raft import RAFT
from raft_core.warm_start import carry_forward

CPU, CUDA = torch.device("cpu"), torch.device("cuda")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.fixture
def pairs() -> list[FramePair]:
    """The five pairs of six frames of drifting noise."""
    noise = np.random.default_rng(0).integers(0, 256, (200, 400, 3), np.uint8)
    frames = [Frame(index, Fraction(index, 25), noise[:, 5 * index : 5 * index + 300]) for index in range(6)]
    return [FramePair(frames[i], frames[i + 1], continues=i > 0) for i in range(5)]


def flows(model: RAFT, pairs: list[FramePair], device: torch.device, settings: Settings) -> Iterator[np.ndarray]:
    for estimate in FlowEstimator(model, device=device, settings=settings).estimate(pairs):
        yield estimate.flow


@pytest.mark.parametrize("config", [SMALL, LARGE], ids=["small", "large"])
def test_float32_flow_on_the_gpu_equals_that_on_the_cpu(config: RaftConfig, pairs: list[FramePair]) -> None:
    torch.manual_seed(0)
    model = RAFT(config)
    settings = Settings(iterations=12, warm_start=False)
    expected = list(flows(model, pairs, CPU, settings))
    found = list(flows(model, pairs, CUDA, settings))
    assert max(np.abs(a - b).max() for a, b in zip(expected, found, strict=True)) < 1e-3


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_stays_near_float32(precision: torch.dtype, pairs: list[FramePair]) -> None:
    torch.manual_seed(0)
    model = RAFT()
    exact, rounded = (
        list(flows(model, pairs, CUDA, Settings(precision=kind, warm_start=False)))
        for kind in (torch.float32, precision)
    )
    error = np.mean([np.abs(a - b).mean() for a, b in zip(exact, rounded, strict=True)])
    assert np.isfinite(error)
    assert error < 0.05 * np.mean([np.abs(a).mean() for a in exact])


def test_batches_give_the_flow_of_single_pairs(pairs: list[FramePair]) -> None:
    torch.manual_seed(0)
    model = RAFT()
    single, batched = (list(flows(model, pairs, CUDA, Settings(batch=n, warm_start=False))) for n in (1, 4))
    assert max(np.abs(a - b).max() for a, b in zip(single, batched, strict=True)) < 1e-3


@pytest.mark.parametrize("method", [Refinement(), LEARNED], ids=["variational", "learned"])
def test_refined_flow_equals_that_of_the_cpu(method: Refinement) -> None:
    noise = torch.rand(3, 2, 40, 60, generator=torch.Generator().manual_seed(0))
    planes = torch.nn.functional.interpolate(noise, size=(160, 240), mode="bicubic")
    first = 255 * planes[:, :1].clamp(0, 1)
    with torch.inference_mode():
        on_cpu, on_gpu = (
            method.apply(first.to(device), first.roll(1, dims=3).to(device), planes.to(device)).cpu()
            for device in (CPU, CUDA)
        )
    assert (on_cpu - planes).norm(dim=1).mean() > 0.1
    assert (on_gpu - on_cpu).norm(dim=1).mean() < 0.02


@pytest.mark.parametrize("name", PRECISIONS)
@pytest.mark.parametrize("quality", ["balanced", "fast", "best"])
def test_flow_by_quality_stays_near_that_of_the_cpu(quality: str, name: str) -> None:
    """With the embedded weights, the refiner, and a first look that is enough for some of these pairs."""
    model = load(find(DEFAULT))
    frames = [*fan_frames_at((0, 1), 240, 320), *fan_frames_at((8, 9), 240, 320, slower=16)]
    pairs = [FramePair(*frames[i : i + 2], continues=False) for i in (0, 2)]
    settings = Effort(quality=quality).applied_to(Settings(batch=2), CPU, stated=model.metadata)
    expected = list(flows(model, pairs, CPU, replace(settings, precision=torch.float32)))
    found = list(flows(model, pairs, CUDA, replace(settings, precision=PRECISIONS[name])))
    assert max(np.linalg.norm(a - b, axis=2).mean() for a, b in zip(expected, found, strict=True)) < 0.05


def test_flow_carried_forward_equals_that_of_the_cpu() -> None:
    coarse = torch.randn(2, 2, 5, 7, generator=torch.Generator().manual_seed(0)) * 3
    flow = torch.nn.functional.interpolate(coarse, size=(55, 128), mode="bicubic")
    different = (carry_forward(flow.to(CUDA)).cpu() != carry_forward(flow)).any(dim=1)
    assert different.float().mean() < 0.001


def test_scenes_equal_those_of_the_cpu() -> None:
    on_cpu, on_gpu = (
        render(TextureBank.procedural(seed=0, device=device), count=2, height=128, width=160, seed=3)
        for device in (CPU, CUDA)
    )
    assert (on_gpu.flow.cpu() - on_cpu.flow).abs().mean() < 0.01
    assert (on_gpu.first.cpu().float() - on_cpu.first.float()).abs().mean() < 2


def test_training_lowers_the_error_of_one_batch() -> None:
    bank = TextureBank.procedural(seed=0, device=CUDA)
    recipe = Recipe(stages=(Stage("one batch", 60, 4, (128, 160), 4, (4e-4, 4e-4)),))
    draw = draw_rendered(lambda count, seed: render(bank, count=count, height=160, width=192, seed=seed), recipe)
    batch = draw(0, recipe.stages[0])
    state = TrainingState.begin(RAFT(), device=CUDA)
    learning = learning_of(state.model, device=CUDA, precision=torch.bfloat16)
    steps = train_steps(state, recipe, lambda *_: batch, learning, device=CUDA)
    losses = [step.loss for step in steps]
    assert sum(losses[-10:]) < 0.7 * sum(losses[:10])


def test_a_step_as_a_cuda_graph_computes_the_same_as_without() -> None:
    bank = TextureBank.procedural(seed=0, device=CUDA)
    recipe = Recipe(stages=(Stage("any", 1, 2, (128, 160), 3, (1e-4, 1e-4), matching=0.1),))
    draw = draw_rendered(lambda count, seed: render(bank, count=count, height=160, width=192, seed=seed), recipe)
    torch.manual_seed(0)
    model = RAFT().to(CUDA).train()
    plain = partial(learn, model, device=CUDA, precision=torch.float32)
    captured = CudaGraphStep(plain, model, device=CUDA)
    stage = recipe.stages[0]
    warm = [Opening(2, draw_starts(2, stage.crop, torch.Generator().manual_seed(seed))) for seed in (1, 2)]
    # Captured with the first of each stage and opening, and replayed with the second.
    steps = [(stage, COLD), (stage, COLD), (stage, warm[0]), (stage, COLD), (stage, warm[1])]
    steps.append((replace(stage, iterations=4), COLD))
    for number, (stage, opening) in enumerate(steps):
        batch = draw(number, stage)
        gradients = []
        for step in (captured, plain):
            model.zero_grad(set_to_none=False)
            measured = step(batch, stage, opening).clone()
            gradients.append([measured, *(weight.grad.clone() for weight in model.parameters())])
        for found, expected in zip(*gradients, strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)


def test_tf32_is_off_only_within_the_estimator() -> None:
    before = torch.backends.cudnn.allow_tf32
    with autocast(CUDA, torch.float32):
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == before


def test_tensors_on_the_gpu_stay_there() -> None:
    torch.manual_seed(0)
    noise = torch.randint(0, 256, (4, 3, 200, 300), dtype=torch.uint8)
    estimator = flowcli.Estimator(RAFT(), iterations=4, direction="both", precision="fp32", device="cuda")
    found = [estimator.estimate(noise[:-1].cuda(), noise[1:].cuda()), *estimator.video(noise.cuda())]
    wanted = flowcli.estimate(noise[:-1], noise[1:], weights=estimator._of_videos.model, iterations=4, device="cuda")
    for values in (found[0].flow, torch.stack([each.flow for each in found[1:]])):
        assert values.device.type == "cuda"
        assert (values.cpu() - wanted.flow).abs().max() < 0.01
    assert {each.backward.device.type for each in found} == {each.occlusion.device.type for each in found} == {"cuda"}
