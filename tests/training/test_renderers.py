"""Training for a while rather than for so many steps, on pairs that other processes render."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import time
from collections import Counter
from functools import cache
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from flowcli.errors import PartialError, UsageError
from flowcli.training import run as runs
from flowcli.training.augmentation.generated import AugmentedBatch
from flowcli.training.batches import draw_from_pool, draw_rendered
from flowcli.training.loop import TrainingState, compile_update, learn, train_steps
from flowcli.training.options import TrainingOptions
from flowcli.training.recipes import RECIPES, Recipe, Stage
from flowcli.training.render_workers import FreshPool
from flowcli.training.run import run_training
from flowcli.training.synthesis import Scenes, TextureBank, render
from raft_core.raft import RAFT

CPU = torch.device("cpu")
SIZE = (136, 144)
STAGE = Stage("first", 1, 2, (128, 128), 2, (1e-4, 1e-4))
RECIPE = Recipe(
    stages=(STAGE, dataclasses.replace(STAGE, name="second", steps=3, learning_rate=(1e-4, 0.0))),
    render_size=SIZE,
    pool_pairs=12,
)


@cache
def bank() -> TextureBank:
    return TextureBank.procedural(seed=1, device=CPU)


def make(count: int, seed: int) -> Scenes:
    return render(bank(), count=count, height=SIZE[0], width=SIZE[1], seed=seed)


def fresh_pool(make: object = make, *, capacity: int = 12, begin: int = 0) -> FreshPool:
    return FreshPool(make, size=SIZE, capacity=capacity, workers=2, begin=begin, device=CPU)  # type: ignore[arg-type]


def drawn(pool: FreshPool) -> AugmentedBatch:
    return draw_from_pool(pool.read, RECIPE, ready=lambda _: pool.ready)(0, STAGE)


def until(pool: FreshPool, rendered: int) -> None:
    deadline = time.monotonic() + 60
    while pool.rendered < rendered:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_pairs_are_those_of_their_numbers_whoever_renders_them() -> None:
    with fresh_pool(capacity=64, begin=100) as pool:
        until(pool, 16)
    found = pool.read(range(16))
    parts = [make(4, number) for number in range(100, 116, 4)]
    assert torch.equal(found.first, torch.cat([part.first for part in parts]))
    assert torch.equal(found.second, torch.cat([part.second for part in parts]))
    assert torch.equal(found.flow, torch.cat([part.flow for part in parts]).half().float())
    assert torch.equal(found.visible, torch.cat([part.visible for part in parts]))


def test_the_oldest_pairs_make_room() -> None:
    with fresh_pool(capacity=13) as pool:
        assert pool.ready == 12
        until(pool, 36)
        assert pool.ready == 12
    latest = range(pool.rendered - 12, pool.rendered, 4)
    for number in latest:
        place = number % 12
        assert torch.equal(pool.read(range(place, place + 4)).first, make(4, number).first)


def test_no_process_is_left_behind() -> None:
    before = len(multiprocessing.active_children())
    with fresh_pool() as pool:
        assert pool.ready == 12
        assert len(multiprocessing.active_children()) == before + 2
    assert len(multiprocessing.active_children()) == before


def fail(count: int, seed: int) -> Scenes:
    raise ValueError(f"no {count} scenes of {seed}")


def die(*_: int) -> Scenes:
    os._exit(3)


def test_what_goes_wrong_in_a_process_reaches_whoever_draws() -> None:
    with fresh_pool(fail) as pool, pytest.raises(ValueError, match="no 4 scenes of"):
        drawn(pool)
    with fresh_pool(die) as pool, pytest.raises(PartialError, match=r"^a process that renders pairs died$"):
        drawn(pool)


def options(folder: Path, **others: object) -> TrainingOptions:
    asked: dict[str, object] = {
        "run": folder / "run",
        "recipe": "fresh",
        "textures": None,
        "validation": None,
        "weights": None,
        "device": "cpu",
        "precision": "fp32",
        "threads": 0,
        "minutes_between_validations": 60,
        "renderers": 2,
        **others,
    }
    return TrainingOptions(**asked)  # type: ignore[arg-type]


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECIPES, "fresh", RECIPE)
    monkeypatch.setattr(runs, "keep_memory", lambda: None)
    monkeypatch.setattr(runs, "STEPS_BETWEEN_LINES", 1)


@pytest.mark.usefixtures("fresh")
def test_a_run_on_fresh_pairs_ends_with_its_recipe(tmp_path: Path) -> None:
    assert run_training(options(tmp_path)) == f"trained 4 of 4 steps in {tmp_path / 'run'}"
    assert run_training(options(tmp_path)).endswith("all of them before")


@pytest.mark.usefixtures("fresh")
def test_a_run_by_the_clock_takes_its_minutes_and_notes_what_it_had_time_for(tmp_path: Path) -> None:
    line = run_training(options(tmp_path, minutes=0.02))
    records = [json.loads(text) for text in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    state = torch.load(tmp_path / "run" / "state.pt", weights_only=True)
    assert line.startswith(f"trained {len(records)} steps in 0.0 minutes")
    assert 1.2 <= state["seconds"] == pytest.approx(sum(r["seconds_per_step"] for r in records[1:]), abs=0.01)
    assert state["done"] == Counter(record["stage"] for record in records)


def test_stages_share_the_minutes_and_learning_rates_follow_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = count()
    monkeypatch.setattr("flowcli.training.loop.time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    pairs = make(2, 0)
    draw = draw_rendered(lambda *_: pairs, RECIPE)
    torch.manual_seed(0)
    state = TrainingState.begin(RAFT(), device=CPU)
    steps = list(train_steps(state, RECIPE, draw, device=CPU, precision=torch.float32, minutes=8 / 60))
    # Every step takes a second; the first is not counted.
    assert [step.stage for step in steps] == 3 * ["first"] + 6 * ["second"]
    assert [step.learning_rate for step in steps[3:]] == pytest.approx([1e-4, 1e-4, 5e-5, 5e-5, 0, 0])


def test_a_run_by_the_clock_goes_on_where_the_clock_was() -> None:
    torch.manual_seed(0)
    state = TrainingState.begin(RAFT(), device=CPU)
    state.seconds = 59.0
    assert state.reached(RECIPE, 1.0) == 3
    state.seconds = 61.0
    assert state.reached(RECIPE, 1.0) == 4
    assert state.reached(RECIPE, None) == 0
    assert not list(train_steps(state, RECIPE, draw_nothing, device=CPU, precision=torch.float32, minutes=1.0))


def test_a_recipe_that_renders_nothing_takes_no_renderers(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^recipe 'chairs' trains on --data$"):
        run_training(options(tmp_path, recipe="chairs"))


def draw_nothing(*_: object) -> object:
    raise AssertionError("the time is over")


def test_a_recipe_that_begins_the_context_anew_has_no_clock(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"begins the context anew, at a step that --minutes might pass over$"):
        run_training(options(tmp_path, recipe="context", minutes=1.0))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_compiled_update_learns_the_same() -> None:
    torch.manual_seed(0)
    model = RAFT()
    with fresh_pool() as pool:
        batch = drawn(pool)

    def gradients() -> list[torch.Tensor]:
        model.zero_grad()
        learn(model, batch, STAGE, device=CPU, precision=torch.float32)
        return [weight.grad.clone() for weight in model.parameters() if weight.grad is not None]

    expected = gradients()
    compile_update(model)
    for before, after in zip(expected, gradients(), strict=True):
        torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-5)
