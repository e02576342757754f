from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from flowcli.training import openings
from flowcli.training.augmentation.generated import AugmentedBatch
from flowcli.training.learning import learn
from flowcli.training.loop import freeze
from flowcli.training.mask_head import with_mask_head
from flowcli.training.openings import Opening, Starts, begin_updates, draw_opening, draw_starts, start_flow
from flowcli.training.recipes import RECIPES, Recipe, Stage
from flowcli.training.run import first_model
from raft_core.config import LARGE, SMALL_CONVEX
from raft_core.raft import RAFT, EncodedPair
from raft_core.upsample import upsample_bilinear

CPU = torch.device("cpu")
STAGE = Stage("as used", 4, 3, (128, 136), 2, (1e-4, 0.0), run_in=12, starts=0.5)


def made(seed: int = 0) -> RAFT:
    torch.manual_seed(seed)
    return RAFT()


def images(batch: int = 2) -> torch.Tensor:
    return torch.rand(batch, 3, 128, 136, generator=torch.Generator().manual_seed(3)) * 2 - 1


def encoded(model: RAFT) -> tuple[EncodedPair, torch.Tensor]:
    first = images()
    second = first.roll((2, 5), dims=(2, 3))
    return model.begin(first, second), second


def test_the_number_of_a_batch_decides_its_opening() -> None:
    one, again = (draw_opening(STAGE, number, seed=1) for number in (7, 7))
    assert one.run_in == again.run_in
    assert (one.starts is None) == (again.starts is None)
    opened = [draw_opening(STAGE, number, seed=1) for number in range(400)]
    runs = [opening.run_in for opening in opened]
    assert set(runs) == {0, 4, 8, 12}
    assert 0.4 < runs.count(0) / 400 < 0.6
    assert 0.4 < sum(opening.starts is not None for opening in opened) / 400 < 0.6
    plain = replace(STAGE, run_in=0, starts=0.0)
    opened = [draw_opening(plain, number, seed=1) for number in range(50)]
    assert all(opening.run_in == 0 and opening.starts is None for opening in opened)


def test_starts_are_of_all_kinds() -> None:
    starts = draw_starts(2000, (128, 136), torch.Generator().manual_seed(0))
    factor, source = starts.factor.flatten(), starts.source
    noisy = starts.noise.abs().amax((1, 2, 3)) > 0
    borrowed = source != torch.arange(2000)
    assert starts.noise.shape == (2000, 2, 16, 17)
    shares = [
        ((factor == 0) & ~noisy).float().mean(),  # zero
        ((factor == 0) & noisy).float().mean(),  # noise alone
        borrowed.float().mean(),  # the flow of another pair, as after a missed cut
        (factor < 0).float().mean(),  # motion that reverses
        ((factor > 0.8) & (factor < 1.25) & ~borrowed).float().mean(),  # motion that goes on
    ]
    assert shares == pytest.approx([0.08, 0.1, 0.12, 0.075, 0.4], abs=0.04)


@torch.no_grad()
def test_a_start_is_the_estimate_that_leads_to_a_pairs_first_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    model = made()
    begun, second = encoded(model)
    monkeypatch.setattr(openings, "last", lambda *_: _Constant())
    neutral = Starts(torch.tensor([0, 1]), torch.ones(2, 1, 1, 1), torch.zeros(2, 2, 16, 17))
    # Flow of two cells to the left from the second frame to the first: motion to the right, if it goes on.
    assert torch.equal(start_flow(model, begun, second, neutral), -_Constant.flow)
    factor = torch.tensor([0.5, 0]).view(2, 1, 1, 1)
    swapped = replace(neutral, source=torch.tensor([1, 0]), factor=factor, noise=neutral.noise + 1)
    found = start_flow(model, begun, second, swapped)
    assert torch.equal(found[:, 0], torch.tensor([2.0, 1.0]).view(2, 1, 1).expand(2, 16, 17))


class _Constant:
    flow = torch.tensor([-2.0, 0]).view(1, 2, 1, 1).expand(2, 2, 16, 17)


@torch.no_grad()
def test_updates_after_a_run_in_are_the_later_ones_of_a_longer_run() -> None:
    model = made().eval()
    begun, second = encoded(model)
    context, flow = begin_updates(model, begun, second, Opening(run_in=2))
    later = next(model.updates(begun.correlation, context, initial_flow=flow))
    updates = model.updates(begun.correlation, begun.context)
    for _ in range(3):
        expected = next(updates)
    assert torch.equal(later.flow, expected.flow)
    assert torch.equal(later.hidden, expected.hidden)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_run_in_and_starts_leave_every_weight_its_gradient(precision: torch.dtype) -> None:
    model = with_mask_head(made(), SMALL_CONVEX).train()
    batch = AugmentedBatch(
        *(torch.randint(256, (3, 3, 128, 136), dtype=torch.uint8) for _ in range(2)),
        torch.ones(3, 2, 128, 136),
        *(torch.ones(3, 128, 136, dtype=torch.bool) for _ in range(2)),
    )
    starts = draw_starts(3, (128, 136), torch.Generator().manual_seed(1))
    freeze(model, ())
    learn(model, batch, STAGE, Opening(2, starts), device=CPU, precision=precision)
    without = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    # Its first layer receives a gradient once its second one is no longer zero.
    assert without == ["mask_head.conv1.weight", "mask_head.conv1.bias"]


@torch.no_grad()
def test_a_new_mask_head_interpolates_and_changes_nothing_else() -> None:
    model = made().eval()
    grown = with_mask_head(model, SMALL_CONVEX).eval()
    first, second = images(), images().roll(3, dims=3)
    before, after = model.estimate(first, second, iterations=2), grown.estimate(first, second, iterations=2)
    assert torch.equal(before.flow, after.flow)
    smooth = replace(after, flow=torch.linspace(0, 1, 17).expand(2, 2, 16, 17))
    ramp = smooth.upsampled()[:, :, 16:-16, 16:-16]
    # Interpolation between cells' centres: a ramp stays a ramp.
    assert torch.allclose(ramp.diff(dim=3), torch.tensor(1 / 16), atol=0.01)
    assert ramp.diff(dim=2).abs().max() < 1e-5
    assert (ramp.mean() - upsample_bilinear(smooth.flow).mean()).abs() < 1e-3


def test_weights_without_the_recipes_mask_head_get_one() -> None:
    convex = RECIPES["head"]
    assert first_model(None, convex).config == SMALL_CONVEX
    for model, recipe, expected in [
        (made(), convex, SMALL_CONVEX),
        (made(), Recipe(stages=(STAGE,)), made().config),
        (RAFT(SMALL_CONVEX), convex, SMALL_CONVEX),
        (RAFT(LARGE), convex, LARGE),
    ]:
        assert first_model(model, recipe).config == expected
