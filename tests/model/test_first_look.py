from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from flowcli.media.frames import Frame, FramePair
from flowcli.media.pairs import pair_up
from flowcli.model.estimator import FlowEstimator
from flowcli.model.first_look import TOLERANCE, FirstLook, explains, first_updates
from flowcli.model.memory import Memory
from flowcli.model.memory_plan import Plan
from flowcli.model.quality import Effort
from flowcli.model.refinement import LEARNED, STATED
from flowcli.model.resize import Resizing
from flowcli.model.settings import Settings
from flowcli.model.weights import DEFAULT, find, load
from flowcli.system.opencv import cv2
from raft_core.raft import FACTOR, MOVING, Update

CPU = torch.device("cpu")
MODEL = load(find(DEFAULT))
Image = NDArray[np.uint8]


def textured(seed: int, height: int = 192, width: int = 256) -> Tensor:
    """Coarse and fine texture, in grey levels: (1, 1, height, width)."""
    random = torch.Generator().manual_seed(seed)
    parts = [
        F.interpolate(
            torch.rand(1, 1, height // cell + 3, width // cell + 3, generator=random), (height, width), mode="bicubic"
        )
        for cell in (24, 8, 3)
    ]
    return (255 * sum(parts) / 3).clamp(0, 255)


def moved(scene: Tensor, across: int, *, things: tuple[tuple[Tensor, int, int], ...] = ()) -> Image:
    """The scene moved to the right, and square things, each (texture, row, column), on it."""
    image = scene.roll(across, dims=3).clone()
    for thing, row, column in things:
        side = thing.shape[-1]
        image[..., row : row + side, column : column + side] = thing
    return image[0].expand(3, -1, -1).permute(1, 2, 0).round().byte().contiguous().numpy()


def frames(*images: Image) -> list[Frame]:
    return [Frame(number, Fraction(number, 25), image) for number, image in enumerate(images)]


SCENE, BALL = textured(1), 255 - textured(2, 26, 26)
CALM = frames(moved(SCENE, 0), moved(SCENE, 2), moved(SCENE, 4))
FAST = frames(moved(SCENE, 0), moved(SCENE, 40))
FLYING = frames(moved(SCENE, 0, things=((BALL, 80, 60),)), moved(SCENE, 2, things=((BALL, 80, 160),)))
SMALL = BALL[..., :16, :16]
CRAWLING = frames(moved(SCENE, 0, things=((SMALL, 80, 60),)), moved(SCENE, 0, things=((SMALL, 81, 67),)))


def estimator(*, first_look: FirstLook | None = FirstLook(), **settings: object) -> FlowEstimator:  # noqa: B008 - frozen
    chosen = Settings(24, 1.2, refinement=LEARNED, first_look=first_look, **settings)  # type: ignore[arg-type]
    return FlowEstimator(MODEL, device=CPU, settings=chosen)


def test_a_calm_pair_is_computed_at_half_the_size_only() -> None:
    memory = Memory()
    (estimate, _) = estimator().estimate(pair_up(CALM), memory=memory)
    assert estimate.half_size and estimate.iterations <= 2
    assert not memory.frames and len(memory.smaller.frames) == 2
    error = np.linalg.norm(estimate.flow - (2, 0), axis=2)[:, 8:-8]
    assert error.mean() < 0.1


@pytest.mark.parametrize("pair", [FAST, FLYING, CRAWLING], ids=["fast", "a flying ball", "a small thing"])
def test_any_other_pair_is_computed_as_without_a_first_look(pair: list[Frame]) -> None:
    (estimate,) = estimator().estimate(pair_up(pair))
    (expected,) = estimator(first_look=None).estimate(pair_up(pair))
    assert not estimate.half_size
    assert (estimate.iterations, estimate.flow.tolist()) == (expected.iterations, expected.flow.tolist())


def test_on_a_scene_that_turns_and_grows_a_first_look_is_as_exact() -> None:
    x, y = np.meshgrid(np.arange(256, dtype=np.float32), np.arange(192, dtype=np.float32))
    growth, turn = 0.01, 0.015
    known = np.stack([growth * (x - 128) - turn * (y - 96), turn * (x - 128) + growth * (y - 96)], axis=2)
    first = moved(SCENE, 0)
    second = cv2.warpAffine(
        first,
        np.float32([[1 + growth, -turn, turn * 96 - growth * 128], [turn, 1 + growth, -turn * 128 - growth * 96]]),
        (256, 192),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT,
    )
    errors = {}
    for look in (None, FirstLook()):
        (estimate,) = estimator(first_look=look).estimate(pair_up(frames(first, second)))
        errors[estimate.half_size] = np.linalg.norm(estimate.flow - known, axis=2)[8:-8, 8:-8].mean()
    assert errors[True] < 1.1 * errors[False]


def test_pairs_of_one_batch_may_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU, where a batch is computed together."""
    images = [frame.image for frame in (*CALM[:2], FAST[1], *CALM[:1])]
    pairs = list(pair_up(frames(*images)))
    alone = [next(estimator().estimate([pair])) for pair in pairs]
    monkeypatch.setattr(FlowEstimator, "plan", lambda *_: Plan(batch=3, on_demand=False, bytes=0))
    together = list(estimator().estimate(pairs))
    assert [estimate.half_size for estimate in together] == [True, False, False]
    for one, other in zip(alone, together, strict=True):
        assert one.half_size == other.half_size
        np.testing.assert_allclose(one.flow, other.flow, atol=2e-2)


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_each_direction_of_both_is_the_one_alone(direction: str) -> None:
    (both,) = estimator(direction="both").estimate(pair_up(CALM[:2]))
    (alone,) = estimator(direction=direction).estimate(pair_up(CALM[:2]))
    assert both.half_size and alone.half_size and both.occluded is not None
    torch.testing.assert_close(getattr(both, direction), getattr(alone, direction), atol=1e-3, rtol=0)
    assert both.occluded[:, 8:-8].float().mean() < 0.02


def test_a_pair_may_start_from_earlier_flow_at_either_size() -> None:
    warm = estimator(warm_start=True)
    memory = Memory()
    first, second, third = warm.estimate(pair_up(frames(*(frame.image for frame in (*CALM, FAST[1])))), memory=memory)
    assert [each.warm for each in (first, second, third)] == [False, True, True]
    assert [each.half_size for each in (first, second, third)] == [True, True, False]
    assert third.forward is not None
    assert torch.equal(memory.flows["forward"], warm.looks.full.coarse(third.forward[None]))
    pair = FramePair(*CALM[:2], continues=False)
    (cold,) = estimator().estimate([pair])
    (given,) = estimator().estimate(
        [replace(pair, initial_flow=torch.tensor([2.0, 0])[:, None, None].expand(2, 192, 256))]
    )
    assert given.half_size and given.iterations < cold.iterations


@pytest.mark.parametrize(
    "effort",
    [
        Effort(iterations="12"),
        Effort(tolerance=0.5),
        Effort(scale=1),
        Effort(refine="variational"),
        Effort(refine="none"),
        Effort("best"),
        Effort("exact"),
    ],
)
def test_who_asks_for_anything_else_gets_no_first_look(effort: Effort) -> None:
    assert effort.applied_to(Settings(), CPU, stated=STATED).first_look is None
    assert Effort().applied_to(Settings(), CPU, stated={}).first_look is None
    assert Effort(refine="learned").applied_to(Settings(), CPU, stated={}).first_look is None


def test_by_default_the_first_look_has_the_size_and_the_network_of_the_rest() -> None:
    settings = Effort(max_side=500).applied_to(Settings(), CPU, stated=STATED)
    assert settings.first_look == FirstLook()
    assert settings.of_first_look().resizing.size(1000, 2000) == (125, 250)
    for quality, size in (("balanced", (218, 512)), ("fast", (109, 256))):
        settings = Effort(quality).applied_to(Settings(), CPU, stated=STATED)
        assert settings.of_first_look().resizing.size(436, 1024) == size
    other = FirstLook().by(replace(LEARNED, weights="other.safetensors", sha256="0"))
    assert {(each.weights, each.sha256) for each in (other.small, other.full)} == {("other.safetensors", "0")}
    assert (other.small.passes, other.full.passes) == (FirstLook().small.passes, FirstLook().full.passes)


@pytest.mark.parametrize("resizing", [Resizing(), Resizing(0.5), Resizing(smallest=288 * 384), Resizing(max_side=100)])
@pytest.mark.parametrize("size", [(64, 80), (288, 384), (1080, 1920)])
def test_half_of_a_size(resizing: Resizing, size: tuple[int, int]) -> None:
    whole, half = resizing.size(*size), resizing.halved().size(*size)
    assert all(abs(side - 2 * part) <= 2 for side, part in zip(whole, half, strict=True))


def test_a_first_look_takes_memory() -> None:
    with_it, without = (estimator(first_look=look).plan(1080, 1920).bytes for look in (FirstLook(), None))
    assert without < with_it < 1.5 * without


def test_a_second_look_takes_memory_without_refinement_too() -> None:
    unrefined = Settings(8, second_look=True)
    with_it, without = (
        FlowEstimator(MODEL, device=CPU, settings=replace(unrefined, second_look=look)).plan(436, 1024).bytes
        for look in (True, False)
    )
    assert with_it > 1.5 * without


def update(*shares: float, iteration: int) -> Update:
    """An update that moves these shares of 100 cells by more than the tolerance, the others by less."""
    delta = torch.full((len(shares), 2, 10, 10), 0.1 * TOLERANCE / FACTOR)
    for pair, share in enumerate(shares):
        delta[pair].flatten(1)[:, : round(100 * share)] = 2 * TOLERANCE / FACTOR
    nothing = torch.zeros(len(shares), 1, 10, 10)
    flow = torch.full_like(delta, float(iteration))
    return Update(iteration, flow, nothing, nothing, nothing, delta, flow, None)


def test_the_flow_of_calm_pairs_converges_within_two_updates() -> None:
    assert MOVING == 0.05
    updates = [update(0, 0.5, 0.5, iteration=0), update(0.5, 0.04, 0.06, iteration=1), update(0, 0, 0, iteration=2)]
    final, taken, converged = first_updates(iter(updates))
    assert (taken, converged) == ([1, 2, 2], [True, True, False])
    assert final.flow[:, 0, 0, 0].tolist() == [0, 1, 1]


def shifted(across: float, down: float) -> Tensor:
    return torch.tensor([across, down], dtype=torch.float32)[None, :, None, None].repeat(1, 1, 192, 256)


def test_flow_explains_what_it_leads_to_and_nothing_else() -> None:
    first = SCENE
    second = first.roll((3, -5), dims=(2, 3))
    assert explains(shifted(-5, 3), first, second) == [True]
    assert explains(shifted(0, 0), first, second) == [False]
    # What a thing comes to cover is not expected to be seen; what is missed is.
    thing = textured(5, 60, 60)
    before, after = first.clone(), first.clone()
    before[..., 60:120, 60:120], after[..., 60:120, 80:140] = thing, thing
    flow = shifted(0, 0)
    flow[:, 0, 60:120, 60:120] = 20
    assert explains(flow, before, after) == [True]
    assert explains(shifted(0, 0), before, after) == [False]
    batch = torch.cat([flow, shifted(0, 0)])
    assert explains(batch, torch.cat([before, before]), torch.cat([after, after])) == [True, False]
    # Nor what leaves the frame.
    assert explains(shifted(300, 0), first, second) == [True]
