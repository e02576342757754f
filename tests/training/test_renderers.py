"""Training limited by time, and on pairs rendered by worker processes."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from flowcli.errors import PartialError, UsageError
from flowcli.training import run, watch
from flowcli.training.augmentation.generated import AugmentedBatch
from flowcli.training.batches import draw_from_pool, draw_rendered
from flowcli.training.learning import compile_update, learn, learning_of
from flowcli.training.loop import Progress, train_steps
from flowcli.training.options import TrainingOptions
from flowcli.training.recipes import RECIPES, Recipe, Stage
from flowcli.training.render_workers import FreshPool
from flowcli.training.run import run_training
from flowcli.training.state import TrainingState
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


def fresh_pool(make: object = make, *, capacity: int = 12, workers: int = 1, begin: int = 0) -> FreshPool:
    return FreshPool(make, size=SIZE, capacity=capacity, workers=workers, begin=begin, device=CPU)  # type: ignore[arg-type]


def drawn(pool: FreshPool) -> AugmentedBatch:
    return draw_from_pool(pool.read, RECIPE, ready=lambda _: pool.ready)(0, STAGE)


def until(pool: FreshPool, rendered: int) -> None:
    deadline = time.monotonic() + 60
    while pool.rendered < rendered:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(scope="module")
def closed() -> tuple[FreshPool, list[int]]:
    """A pool of 8 pairs that was replaced twice, and the numbers of child processes before, within and after."""
    children = [len(multiprocessing.active_children())]
    with fresh_pool(capacity=9, workers=2, begin=100) as pool:
        until(pool, 8)
        children.append(len(multiprocessing.active_children()))
        until(pool, 24)
    return pool, [*children, len(multiprocessing.active_children())]


def test_a_pool_keeps_the_latest_pairs(closed: tuple[FreshPool, list[int]]) -> None:
    pool, _ = closed
    assert pool.ready == 8
    for number in range(pool.rendered - 8, pool.rendered, 4):
        place = number % 8
        assert torch.equal(pool.read(range(place, place + 4)).first, make(4, 100 + number).first)


def test_pairs_of_workers_depend_on_their_numbers_only(closed: tuple[FreshPool, list[int]]) -> None:
    pool, _ = closed
    places = [number % 8 for number in range(pool.rendered - 8, pool.rendered)]
    found = pool.read(places)
    parts = [make(4, 100 + number) for number in range(pool.rendered - 8, pool.rendered, 4)]
    assert torch.equal(found.first, torch.cat([part.first for part in parts]))
    assert torch.equal(found.second, torch.cat([part.second for part in parts]))
    assert torch.equal(found.flow, torch.cat([part.flow for part in parts]).half().float())
    assert torch.equal(found.visible, torch.cat([part.visible for part in parts]))


def test_a_closed_pool_has_ended_its_workers(closed: tuple[FreshPool, list[int]]) -> None:
    _, (before, within, after) = closed
    assert (within, after) == (before + 2, before)


def fail(count: int, seed: int) -> Scenes:
    raise ValueError(f"no {count} scenes of {seed}")


def die(*_: int) -> Scenes:
    os._exit(3)


def test_the_error_of_a_worker_is_raised_when_a_batch_is_drawn() -> None:
    with fresh_pool(fail) as pool, pytest.raises(ValueError, match="no 4 scenes of"):
        drawn(pool)
    with fresh_pool(die) as pool, pytest.raises(PartialError, match=r"^a render worker died$"):
        drawn(pool)


def options(folder: Path, **others: object) -> TrainingOptions:
    settings: dict[str, object] = {
        "run": folder / "run",
        "recipe": "fresh",
        "textures": None,
        "validation": None,
        "weights": None,
        "device": "cpu",
        "precision": "fp32",
        "threads": 0,
        "minutes_between_validations": 60,
        "renderers": 1,
        **others,
    }
    return TrainingOptions(**settings)  # type: ignore[arg-type]


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECIPES, "fresh", RECIPE)
    monkeypatch.setattr(run, "keep_memory", lambda: None)
    monkeypatch.setattr(watch, "STEPS_BETWEEN_LINES", 1)


@pytest.mark.usefixtures("fresh")
@pytest.mark.slow
def test_a_run_with_render_workers_ends_with_its_recipe(tmp_path: Path) -> None:
    assert run_training(options(tmp_path)) == f"trained 4 of 4 steps in {tmp_path / 'run'}"
    assert run_training(options(tmp_path)).endswith("all of them before")


@pytest.mark.usefixtures("fresh")
def test_a_run_limited_by_time_takes_its_minutes_and_saves_the_steps_of_each_stage(tmp_path: Path) -> None:
    line = run_training(options(tmp_path, minutes=0.02))
    records = [json.loads(text) for text in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    state = torch.load(tmp_path / "run" / "state.pt", weights_only=True)
    assert line.startswith(f"trained {len(records)} steps in {state['seconds'] / 60:.1f} minutes")
    assert 1.2 <= state["seconds"] == pytest.approx(sum(r["seconds_per_step"] for r in records[1:]), abs=0.01)
    assert state["done"] == Counter(record["stage"] for record in records)


def steps_of(state: TrainingState[RAFT], draw: Callable[..., object], *, minutes: float) -> Iterator[Progress]:
    learning = learning_of(state.model, device=CPU, precision=torch.float32)
    return train_steps(state, RECIPE, draw, learning, device=CPU, minutes=minutes)  # type: ignore[arg-type]


def test_stages_divide_the_minutes_and_learning_rates_follow_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = count()
    monkeypatch.setattr("flowcli.training.loop.time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    pairs = make(2, 0)
    draw = draw_rendered(lambda *_: pairs, RECIPE)
    torch.manual_seed(0)
    state = TrainingState.begin(RAFT(), device=CPU)
    steps = list(steps_of(state, draw, minutes=8 / 60))
    # Every step takes a second; the first is not counted.
    assert [step.stage for step in steps] == 3 * ["first"] + 6 * ["second"]
    assert [step.learning_rate for step in steps[3:]] == pytest.approx([1e-4, 1e-4, 5e-5, 5e-5, 0, 0])


def test_a_run_limited_by_time_resumes_at_its_saved_time() -> None:
    torch.manual_seed(0)
    state = TrainingState.begin(RAFT(), device=CPU)
    state.seconds = 59.0
    assert state.due_step(RECIPE, 1.0) == 3
    state.seconds = 61.0
    assert state.due_step(RECIPE, 1.0) == 4
    assert state.due_step(RECIPE, None) == 0
    assert not list(steps_of(state, draw_nothing, minutes=1.0))


def test_a_recipe_on_datasets_refuses_renderers(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^recipe 'chairs' has no use for --renderers$"):
        run_training(options(tmp_path, recipe="chairs"))


def draw_nothing(*_: object) -> object:
    raise AssertionError("drew a batch after the end")


def test_a_recipe_that_reinitialises_the_context_refuses_minutes(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"reinitialises the context at a step that --minutes may skip$"):
        run_training(options(tmp_path, recipe="context", minutes=1.0))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_compiled_update_has_the_same_gradients() -> None:
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
