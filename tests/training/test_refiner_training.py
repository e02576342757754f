from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from flowcli.errors import FlowcliError, UsageError
from flowcli.evaluation.datasets import FlowItem
from flowcli.model.refiner import Refiner, read
from flowcli.model.weights import find, load
from flowcli.system.console import Console
from flowcli.training import refiner as refiner_training
from flowcli.training.augmentation.generated import AugmentedBatch
from flowcli.training.openings import COLD
from flowcli.training.options import TrainingOptions
from flowcli.training.promote import Promotion, promote
from flowcli.training.recipes import RECIPES, Recipe, Stage
from flowcli.training.refiner import RefinerBatch, RefinerPool, learn_to_refine, turned, validate_refiner
from flowcli.training.run import run_training
from flowcli.training.synthesis import Scenes
from raft_core.grid import warp_by
from raft_core.raft import RAFT

CPU = torch.device("cpu")


def recipe(steps: int) -> Recipe:
    stage = Stage("tiny", steps, 2, (128, 128), 0, (1e-3, 1e-3), power=0.7, max_flow=200)
    return Recipe(stages=(stage,), render_size=(136, 144), pool_pairs=8, model="refiner")


@pytest.fixture(autouse=True)
def small_pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(refiner_training, "SHARD", 4)
    monkeypatch.setattr(refiner_training, "POOL_START", 4)
    monkeypatch.setattr("flowcli.training.watch.STEPS_BETWEEN_LINES", 1)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def train(folder: Path, **options: object) -> list[float]:
    """The losses of a run's log after it ended."""
    run_training(TrainingOptions(folder, recipe="tiny", threads=1, device="cpu", **options))  # type: ignore[arg-type]
    records = map(json.loads, (folder / "log.jsonl").read_text().splitlines())
    return [record["loss"] for record in records if "loss" in record]


def test_a_resumed_run_computes_the_same_as_an_uninterrupted_one(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setitem(RECIPES, "tiny", recipe(3))
    expected = train(tmp_path / "whole")
    monkeypatch.setitem(RECIPES, "tiny", recipe(2))
    train(tmp_path / "stopped")
    monkeypatch.setitem(RECIPES, "tiny", recipe(3))
    # The weights whose flow is refined may be named again.
    assert train(tmp_path / "stopped", weights="raft-small-convex") == expected
    files = [read(tmp_path / name / "last.safetensors").state_dict() for name in ("whole", "stopped")]
    assert all(torch.equal(one, files[1][name]) for name, one in files[0].items())
    monkeypatch.setitem(RECIPES, "tiny", recipe(4))
    with pytest.raises(FlowcliError, match="another size, seed, textures or weights"):
        train(tmp_path / "stopped", weights="raft-small")


def test_a_refiner_is_not_promoted(tmp_path: Path) -> None:
    (tmp_path / "best.safetensors").touch()
    (tmp_path / "run.json").write_text('{"raft": "0"}')
    promotion = Promotion(tmp_path, tmp_path / "weights", "refiner", tmp_path)
    with pytest.raises(UsageError, match="trained a refiner"):
        promote(promotion, Console())


@pytest.mark.parametrize("option", [{"renderers": 2}, {"compiled": True}])
def test_useless_options_are_refused(monkeypatch, tmp_path: Path, option: dict[str, object]) -> None:
    monkeypatch.setitem(RECIPES, "tiny", recipe(1))
    with pytest.raises(UsageError, match="no use for --"):
        train(tmp_path, **option)


def batch_of(first: Tensor, second: Tensor, flow: Tensor) -> RefinerBatch:
    return RefinerBatch(first, second, flow, flow, flow)


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("transposed", [False, True])
def test_turned_frames_and_flow_still_agree(across: bool, down: bool, transposed: bool) -> None:
    second = torch.rand(1, 1, 12, 17, generator=torch.Generator().manual_seed(0))
    flow = torch.tensor([2.0, -1])[:, None, None].expand(1, 2, 12, 17)
    first = warp_by(second, flow)
    turn = (across, down, transposed)
    found = warp_by(turned(second, *turn), turned(flow, *turn))
    inside = turned(first.inside[:, None].float(), *turn).bool()[:, 0]
    assert torch.equal(found.inside, inside)
    torch.testing.assert_close(found.image[:, 0][inside], turned(first.image, *turn)[:, 0][inside])


def test_learning_lowers_the_error_of_a_batch_and_ignores_large_motion() -> None:
    random = torch.Generator().manual_seed(0)
    first = torch.nn.functional.interpolate(255 * torch.rand(2, 1, 16, 16, generator=random), scale_factor=4)
    flow = torch.zeros(2, 2, 64, 64)
    flow[1] = 500
    wrong = 0.5 * torch.ones_like(flow)
    batch = RefinerBatch(first, first, wrong, wrong, flow)
    stage = recipe(1).stages[0]
    torch.manual_seed(0)
    model = Refiner()
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    errors = []
    for _ in range(30):
        optimiser.zero_grad()
        _, error = learn_to_refine(model, batch, stage, COLD, device=CPU).tolist()
        optimiser.step()
        errors.append(error)
    assert errors[0] < 0.75
    assert errors[-1] < 0.3 * errors[0]


def test_validation_refines_with_the_network_that_is_given(monkeypatch) -> None:
    torch.manual_seed(0)
    raft, network = RAFT().eval(), Refiner().eval()
    raft.metadata = {"refine": "variational"}
    image = torch.randint(256, (96, 128, 3), dtype=torch.uint8).numpy()
    flow = torch.zeros(96, 128, 2).numpy()
    item = FlowItem("pair", "group", image, image[::-1].copy(), flow, flow[..., 0] == 0)
    seen = []
    monkeypatch.setattr(network, "forward", lambda *planes, before: seen.append(before) or planes[2])
    found = validate_refiner(network, raft, [item], device=CPU)
    assert len(seen) == 1
    assert found["group"] == found["mean"] > 0


def test_calm_crops_begin_with_a_first_look_in_most_turns(monkeypatch, tmp_path: Path) -> None:
    """Frames that pan by 2 px, and others that do not match, in three turns of four crops each."""

    def render(count: int, seed: int) -> Scenes:
        texture = F.interpolate(torch.rand(count, 3, 40, 44, generator=torch.Generator().manual_seed(seed)), (160, 176))
        first = (255 * texture).byte()
        second = first.roll(2, dims=3)
        second[1::2] = first[::2]
        flow = torch.tensor([2.0, 0])[:, None, None].expand(count, 2, 160, 176)
        return Scenes(first, second, flow, torch.ones(count, 160, 176, dtype=torch.bool))

    def uncropped(first: Tensor, second: Tensor, flow: Tensor, visible: Tensor, **_: object) -> AugmentedBatch:
        return AugmentedBatch(*(each[..., 16:144, 16:144] for each in (first, second, flow, visible, visible)))

    monkeypatch.setattr(refiner_training, "augment", uncropped)
    pool = RefinerPool(tmp_path, render, load(find("raft-small-convex")), recipe(1))
    settled = []
    look_first = pool.look_first
    monkeypatch.setattr(pool, "look_first", lambda *halves: settled.append(look_first(*halves)) or settled[-1])
    made = [pool.make(number) for number in (0, 4, 8)]
    assert len(settled) == 2
    for batch, (looked, calm) in zip(made[1:], settled, strict=True):
        assert calm == [True, False, True, False]
        for crop in range(4):
            assert torch.equal(batch.before[crop], looked[crop]) is calm[crop]
        assert (batch.refined[::2] - batch.flow[::2]).norm(dim=1).median() < 0.2
