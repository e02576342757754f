from __future__ import annotations

import errno
import hashlib
import itertools
import json
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from flowcli.errors import FlowcliError, OutputError, UsageError
from flowcli.system.signals import StoppedError
from flowcli.training import batches, run
from flowcli.training import pool as pool_module
from flowcli.training.augmentation.generated import AugmentedBatch
from flowcli.training.batches import draw_from_pool, draw_rendered
from flowcli.training.learning import learn, learning_of
from flowcli.training.loop import SLOW, Progress, train_steps, update_average
from flowcli.training.options import TrainingOptions
from flowcli.training.pool import Pool
from flowcli.training.recipes import RECIPES, Recipe, Stage
from flowcli.training.run import refuse_what_does_not_fit, run_training
from flowcli.training.run_folder import RunFolder
from flowcli.training.state import TrainingState
from flowcli.training.synthesis import Scenes, TextureBank, render
from raft_core import checkpoint
from raft_core.config import LARGE
from raft_core.images import to_model_range
from raft_core.raft import RAFT

CPU = torch.device("cpu")
RECIPE = Recipe(
    stages=(
        Stage("one", 2, 1, (128, 128), 2, (1e-4, 2e-4), visible_only=True),
        Stage("two", 4, 1, (128, 128), 2, (2e-4, 0.0)),
    ),
    render_size=(136, 144),
    pool_pairs=8,
)
Draw = Callable[[int, Stage], AugmentedBatch]


@pytest.fixture(autouse=True)
def few_pairs_per_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "SHARD_PAIRS", 4)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def bank() -> TextureBank:
    return TextureBank.procedural(seed=1, device=CPU)


@pytest.fixture(scope="module")
def make_scenes(bank: TextureBank) -> Callable[[int, int], Scenes]:
    """Renders scenes, the same ones only once: that a seed gives the same scenes is a test of rendering."""
    return cache(lambda count, seed: render(bank, count=count, height=136, width=144, seed=seed))


@pytest.fixture
def draw(make_scenes: Callable[[int, int], Scenes], tmp_path: Path) -> Draw:
    return draw_from_pool(Pool(tmp_path / "pool", make_scenes).read, RECIPE)


def begin(seed: int = 0) -> TrainingState:
    torch.manual_seed(seed)
    return TrainingState.begin(RAFT(), device=CPU)


def steps(state: TrainingState, draw: Draw, recipe: Recipe = RECIPE) -> Iterator[Progress]:
    learning = learning_of(state.model, device=CPU, precision=torch.float32)
    return train_steps(state, recipe, draw, learning, device=CPU)


def plain_batch(*, flow: float = 1.0, crop: tuple[int, int] = (128, 128)) -> AugmentedBatch:
    pictures = torch.randint(256, (2, 1, 3, *crop), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    everywhere = torch.ones(1, *crop, dtype=torch.bool)
    return AugmentedBatch(pictures[0], pictures[1], torch.full((1, 2, *crop), flow), everywhere, everywhere)


def copied(model: RAFT) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def assert_equal(state: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert list(state) == list(expected)
    for name, tensor in state.items():
        assert torch.equal(tensor, expected[name]), name


def test_a_resumed_state_computes_the_same_as_an_uninterrupted_one(draw: Draw, tmp_path: Path) -> None:
    whole = begin()
    expected = [progress.loss for progress in steps(whole, draw)]
    killed = begin()
    losses = [progress.loss for progress in itertools.islice(steps(killed, draw), 3)]
    killed.save(tmp_path / "state.pt")
    resumed = begin(seed=99)  # a new process starts from other weights
    resumed.load(tmp_path / "state.pt")
    torch.rand(7)  # the state of the global generator has no effect
    assert resumed.step == 3
    losses += [progress.loss for progress in steps(resumed, draw)]
    assert losses == expected
    assert_equal(resumed.model.state_dict(), whole.model.state_dict())
    assert_equal(resumed.average.state_dict(), whole.average.state_dict())


def test_a_pool_rendered_again_gives_the_same_batches(
    make_scenes: Callable[[int, int], Scenes], tmp_path: Path
) -> None:
    one = draw_from_pool(Pool(tmp_path / "one", make_scenes).read, RECIPE)
    other = draw_from_pool(Pool(tmp_path / "other", make_scenes).read, RECIPE)
    first, second = one(5, RECIPE.stages[1]), other(5, RECIPE.stages[1])
    assert torch.equal(first.first, second.first)
    assert torch.equal(first.flow, second.flow)
    assert not torch.equal(first.first, one(4, RECIPE.stages[1]).first)


def test_a_failed_save_keeps_the_earlier_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = begin()
    state.save(tmp_path / "state.pt")
    before = (tmp_path / "state.pt").read_bytes()

    def fails_halfway(path: Path, data: bytes) -> int:
        path.open("wb").write(data[:100])
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(Path, "write_bytes", fails_halfway)
    with pytest.raises(OutputError, match="the disk is full"):
        state.save(tmp_path / "state.pt")
    assert (tmp_path / "state.pt").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]


def test_a_training_state_is_a_checkpoint_of_its_averaged_weights(tmp_path: Path) -> None:
    state = begin()
    update_average(state.average, RAFT(), decay=0.5)
    state.save(tmp_path / "state.pt")
    assert_equal(checkpoint.load(tmp_path / "state.pt").state_dict(), state.average.state_dict())


def test_the_learning_rate_runs_linearly_through_each_stage() -> None:
    rates = [RECIPE.at(step) for step in range(RECIPE.steps)]
    assert [stage.name for stage, _ in rates] == ["one"] * 2 + ["two"] * 4
    assert [rate for _, rate in rates] == pytest.approx([1e-4, 2e-4, 2e-4, 2e-4 * 2 / 3, 2e-4 / 3, 0.0])


def test_a_stage_of_one_step_runs_at_its_first_rate() -> None:
    stage, rate = replace(RECIPE, stages=(Stage("only", 1, 1, (128, 128), 1, (3e-4, 0.0)),)).at(0)
    assert (stage.name, rate) == ("only", 3e-4)


def test_a_step_beyond_the_recipe_is_refused() -> None:
    with pytest.raises(IndexError, match=r"^the recipe ends 3 steps earlier$"):
        RECIPE.at(RECIPE.steps + 2)


def test_every_recipe_reaches_its_last_step() -> None:
    for recipe in RECIPES.values():
        stage, _ = recipe.at(recipe.steps - 1)
        assert stage is recipe.stages[-1]
        assert all(side % 8 == 0 and side >= 128 for stage in recipe.stages for side in stage.crop)


def test_each_step_uses_its_own_learning_rate_and_weight_decay() -> None:
    state = begin()
    recipe = replace(RECIPE, stages=(RECIPE.stages[0], replace(RECIPE.stages[1], weight_decay=1e-5)))
    seen = []
    for progress in steps(state, lambda *_: plain_batch(), recipe):
        groups = state.optimiser.param_groups
        assert {group["lr"] for group in groups} == {progress.learning_rate}
        (decay,) = {group["weight_decay"] for group in groups}
        seen.append((progress.step, progress.stage, decay))
    assert seen == [(1, "one", 1e-4), (2, "one", 1e-4), *((step, "two", 1e-5) for step in (3, 4, 5, 6))]


def test_the_decay_of_the_average_grows_with_the_step() -> None:
    state = begin()
    weight, mean = state.model.feature_encoder.head.weight, state.average.feature_encoder.head.weight
    expected = mean.zero_().clone()  # far from the weights, so that the decay is measurable
    for step, _ in enumerate(itertools.islice(steps(state, lambda *_: plain_batch()), 3)):
        decay = min(0.999, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * weight.detach()
        torch.testing.assert_close(mean, expected)
    assert not torch.equal(mean, weight)


def test_the_average_copies_running_statistics() -> None:
    model, average = RAFT(LARGE), RAFT(LARGE)
    model.context_encoder.stem.norm.running_mean.fill_(3)
    update_average(average, model, decay=0.9)
    assert bool((average.context_encoder.stem.norm.running_mean == 3).all())


@pytest.mark.parametrize("size", ["small", "large"])
def test_a_step_whose_gradient_is_not_finite_changes_nothing(size: str) -> None:
    torch.manual_seed(0)
    state = TrainingState.begin(RAFT(LARGE) if size == "large" else RAFT(), device=CPU)
    next(steps(state, lambda *_: plain_batch()))
    before, average, optimiser = copied(state.model), copied(state.average), state.optimiser.state_dict()["state"]
    optimiser = {key: {name: value.clone() for name, value in entry.items()} for key, entry in optimiser.items()}
    state.model.feature_encoder.register_forward_pre_hook(lambda _, inputs: (inputs[0] * float("nan"),))
    state.model.context_encoder.register_forward_pre_hook(lambda _, inputs: (inputs[0] * float("nan"),))
    progress = next(steps(state, lambda *_: plain_batch()))
    assert progress.step == state.step == 2
    assert_equal(state.model.state_dict(), before)
    for key, entry in state.optimiser.state_dict()["state"].items():
        assert_equal(entry, optimiser[key])
    for name, tensor in state.average.state_dict().items():
        assert bool(tensor.isfinite().all()), name
        low, high = torch.minimum(average[name], before[name]), torch.maximum(average[name], before[name])
        assert bool(((low - 1e-6 <= tensor) & (tensor <= high + 1e-6)).all()), name


def test_unknown_flow_does_not_change_the_weights_to_nan() -> None:
    state = begin()
    progress = next(steps(state, lambda *_: plain_batch(flow=float("nan"))))
    assert progress.loss == 0
    assert all(bool(tensor.isfinite().all()) for tensor in state.model.state_dict().values())


def test_occluded_pixels_count_only_in_stages_that_include_them() -> None:
    batch = plain_batch(flow=5.0)
    hidden = replace(batch, visible=torch.zeros_like(batch.visible))
    losses = [progress.loss for progress in steps(begin(), lambda *_: hidden)]
    assert losses[:2] == [0, 0]
    assert all(loss > 0 for loss in losses[2:])


def test_a_frozen_part_keeps_its_weights_until_a_stage_unfreezes_it() -> None:
    frozen = replace(RECIPE.stages[0], frozen=("context_encoder",))
    state = begin()
    before = copied(state.model)
    taken = steps(state, lambda *_: plain_batch(), replace(RECIPE, stages=(frozen, RECIPE.stages[1])))
    next(taken), next(taken)
    after = copied(state.model)
    kept = {name for name in before if torch.equal(before[name], after[name])}
    assert kept == {name for name in before if name.startswith("context_encoder.")}
    next(taken)
    assert not any(torch.equal(after[name], tensor) for name, tensor in copied(state.model).items() if name in kept)


def test_a_frozen_part_keeps_the_running_statistics_of_its_batch_normalisation() -> None:
    stages = (replace(RECIPE.stages[0], steps=1, frozen=("context_encoder",)),)
    state = TrainingState.begin(RAFT(LARGE), device=CPU)
    before = copied(state.model)
    next(steps(state, lambda *_: plain_batch(), replace(RECIPE, stages=stages)))
    after = copied(state.model)
    assert all(torch.equal(before[name], after[name]) for name in before if name.startswith("context_encoder."))


def test_a_slow_part_changes_by_a_fifth() -> None:
    moved = []
    for slow in ((), ("context_encoder",)):
        state = begin()
        before = copied(state.model)
        stage = replace(RECIPE.stages[0], slow=slow, weight_decay=0.0)
        next(steps(state, lambda *_: plain_batch(), replace(RECIPE, stages=(stage,))))
        moved.append({name: tensor - before[name] for name, tensor in copied(state.model).items()})
    for name, plainly in moved[0].items():
        share = SLOW if name.startswith("context_encoder.") else 1.0
        torch.testing.assert_close(moved[1][name], share * plainly, atol=1e-7, rtol=1e-3)


def test_a_state_with_one_parameter_group_is_resumed(tmp_path: Path) -> None:
    state, older = begin(), begin()
    older.optimiser = torch.optim.AdamW(older.model.parameters(), eps=1e-8)
    older.optimiser.param_groups[0]["part"] = ""
    for one in (state, older):
        next(steps(one, lambda *_: plain_batch()))
    older.save(tmp_path / "state.pt")
    resumed = begin()
    resumed.load(tmp_path / "state.pt")
    for one in (state, resumed):
        next(steps(one, lambda *_: plain_batch()))
    assert_equal(copied(state.model), copied(resumed.model))


def test_a_stage_reinitialises_the_context_at_its_first_step_only(draw: Draw) -> None:
    renewing = replace(RECIPE.stages[1], steps=2, renew_context=True, frozen=("context_encoder",))
    recipe = replace(RECIPE, stages=(RECIPE.stages[0], renewing))
    state = begin()
    taken = steps(state, draw, recipe)
    next(taken), next(taken)
    before = copied(state.model)
    next(taken)
    renewed = copied(state.model)
    assert not torch.equal(before["context_encoder.stem.conv.weight"], renewed["context_encoder.stem.conv.weight"])
    assert_equal(
        {name: tensor for name, tensor in copied(state.average).items() if name.startswith("context_encoder.")},
        {name: tensor for name, tensor in renewed.items() if name.startswith("context_encoder.")},
    )
    next(taken)
    assert torch.equal(copied(state.model)["context_encoder.head.bias"], renewed["context_encoder.head.bias"])


def test_the_matching_loss_changes_the_gradients_of_the_feature_encoder_only() -> None:
    stage = replace(RECIPE.stages[1], power=1.0)
    gradients = []
    for weight in (0.0, 1.0):
        state = begin()
        learn(state.model, plain_batch(), replace(stage, matching=weight), device=CPU, precision=torch.float32)
        gradients.append({name: tensor.grad for name, tensor in state.model.named_parameters()})
    changed = {name for name in gradients[0] if not torch.equal(gradients[0][name], gradients[1][name])}
    assert changed == {name for name in gradients[0] if name.startswith("feature_encoder.")}


def test_pairs_read_from_the_pool_are_the_rendered_ones(
    make_scenes: Callable[[int, int], Scenes], tmp_path: Path
) -> None:
    pool = Pool(tmp_path / "pool", make_scenes)
    batch = pool.read([6, 1, 6])
    rendered = [make_scenes(4, 0), make_scenes(4, 4)]
    for row, (scenes, number) in enumerate([(rendered[1], 2), (rendered[0], 1), (rendered[1], 2)]):
        assert torch.equal(batch.first[row], scenes.first[number])
        assert torch.equal(batch.second[row], scenes.second[number])
        assert torch.equal(batch.visible[row], scenes.visible[number])
        assert torch.equal(batch.flow[row], scenes.flow[number].half().float())
    assert bool(batch.flow.abs().max() > 0.5)
    assert batch.flow.dtype == torch.float32


def test_a_deleted_file_of_pairs_is_rendered_again_as_it_was(
    make_scenes: Callable[[int, int], Scenes], tmp_path: Path
) -> None:
    Pool(tmp_path, make_scenes).read([0, 5])
    assert sorted(file.name for file in tmp_path.iterdir()) == ["00000.npy", "00001.npy"]
    before = np.load(tmp_path / "00001.npy")
    (tmp_path / "00001.npy").unlink()
    Pool(tmp_path, make_scenes).read([5])
    np.testing.assert_array_equal(np.load(tmp_path / "00001.npy"), before)


def test_pairs_on_disk_are_not_rendered_again(make_scenes: Callable[[int, int], Scenes], tmp_path: Path) -> None:
    Pool(tmp_path, make_scenes).read([0])

    def never(count: int, seed: int) -> Scenes:
        raise AssertionError("rendered again")

    Pool(tmp_path, never).read([0, 3])


def test_batches_are_drawn_from_the_grown_part_of_the_pool() -> None:
    requested: list[int] = []

    class StopDrawingError(Exception):
        pass

    def read(numbers: list[int]) -> Scenes:
        requested.extend(numbers)
        raise StopDrawingError

    draw = draw_from_pool(read, replace(RECIPE, pool_pairs=100_000))
    for step in [0] * 3 + [1000] * 3:
        with pytest.raises(StopDrawingError):
            draw(step, replace(RECIPE.stages[0], batch=400))
    assert 450 < max(requested[:1200]) < 512
    assert 2300 < max(requested[1200:]) < 2512


def test_only_weights_with_a_lower_validation_error_are_kept(tmp_path: Path) -> None:
    state, folder = begin(), RunFolder(tmp_path)
    kept = [
        folder.keep_best(state, {"mean": mean}, recipe=RECIPE)
        for mean in (float("nan"), 3.0, 3.5, float("nan"), 2.0, 2.0)
    ]
    assert kept == [False, True, False, False, True, False]
    assert json.loads((tmp_path / "best.json").read_text())["epe"] == {"mean": 2.0}
    assert_equal(checkpoint.load(tmp_path / "best.safetensors").state_dict(), state.average.state_dict())


def options(folder: Path, **changes: object) -> TrainingOptions:
    settings = TrainingOptions(
        run=folder / "run",
        recipe="tiny",
        textures=None,
        validation=None,
        weights=None,
        device="cpu",
        precision="fp32",
        threads=1,
        minutes_between_validations=20,
    )
    return replace(settings, **changes)  # type: ignore[arg-type]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, make_scenes: Callable[[int, int], Scenes]) -> None:
    monkeypatch.setitem(RECIPES, "tiny", RECIPE)
    monkeypatch.setattr(batches, "SceneRenderer", lambda *_: make_scenes)
    monkeypatch.setattr(run, "keep_memory", lambda: None)


def saved(folder: Path) -> dict[str, object]:
    return torch.load(folder / "run" / "state.pt", weights_only=True)  # type: ignore[no-any-return]


@pytest.mark.usefixtures("tiny")
def test_a_run_trains_to_its_end_and_then_has_nothing_to_do(tmp_path: Path) -> None:
    assert run_training(options(tmp_path)).startswith("trained 6 of 6 steps in ")
    before = saved(tmp_path)["model"]
    assert run_training(options(tmp_path)).startswith("trained 6 of 6 steps in ")
    after = saved(tmp_path)["model"]
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert_equal(after, before)


@pytest.mark.usefixtures("tiny")
def test_a_signal_stops_a_run_between_two_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_step = batches.draw_from_pool

    def interrupted(*arguments: object) -> Draw:
        draw = draw_step(*arguments)  # type: ignore[arg-type]

        def draw_and_interrupt(step: int, stage: Stage) -> AugmentedBatch:
            if step == 2:
                signal.raise_signal(signal.SIGTERM)
            return draw(step, stage)

        return draw_and_interrupt

    monkeypatch.setattr(batches, "draw_from_pool", interrupted)
    with pytest.raises(StoppedError) as stopped:
        run_training(options(tmp_path))
    assert stopped.value.exit_code == 143
    assert saved(tmp_path)["step"] == 3


@pytest.mark.usefixtures("tiny")
def test_an_error_within_a_step_does_not_save_the_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_training(options(tmp_path))
    before = (tmp_path / "run" / "state.pt").read_bytes()
    monkeypatch.setitem(RECIPES, "tiny", replace(RECIPE, stages=(*RECIPE.stages, RECIPE.stages[0])))

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt  # the second Ctrl-C, after the optimiser has stepped

    monkeypatch.setattr("flowcli.training.loop.update_average", fail)
    with pytest.raises(KeyboardInterrupt):
        run_training(options(tmp_path))
    assert (tmp_path / "run" / "state.pt").read_bytes() == before


@pytest.mark.usefixtures("tiny")
def test_unusable_options_are_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^there is no recipe 'none'$"):
        run_training(options(tmp_path, recipe="none"))
    with pytest.raises(UsageError, match=r"does not exist$"):
        run_training(options(tmp_path, validation=tmp_path / "nowhere"))
    with pytest.raises(UsageError, match=r"^training does not support fp16$"):
        run_training(options(tmp_path, precision="fp16"))
    assert not (tmp_path / "run" / "state.pt").exists()


@pytest.mark.usefixtures("tiny")
def test_a_mistyped_folder_leaves_no_run_behind(tmp_path: Path) -> None:
    for wrong, message in ((tmp_path / "nothere", "is not a folder"), (tmp_path, "has no images")):
        with pytest.raises(FlowcliError, match=message):
            run_training(options(tmp_path, textures=wrong))
    with pytest.raises(FlowcliError, match="no weights called"):
        run_training(options(tmp_path, weights="nope"))
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("tiny")
def test_a_run_is_not_resumed_with_other_pairs(tmp_path: Path) -> None:
    run_training(options(tmp_path))
    (tmp_path / "a.png").touch()
    with pytest.raises(UsageError, match=r"run was started with pairs of another size, seed, textures or weights$"):
        run_training(options(tmp_path, textures=tmp_path))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_model_can_overfit_eight_pairs(bank: TextureBank) -> None:
    """A model that cannot overfit cannot learn."""
    first, second, flow = calm_pairs(bank, 8)
    torch.manual_seed(0)
    stage = Stage("overfit", 1600, 4, (128, 160), 4, (4e-4, 1e-5))
    state = TrainingState.begin(RAFT(), device=CPU)
    mask = torch.ones(4, 128, 160, dtype=torch.bool)

    def draw(step: int, _: Stage) -> AugmentedBatch:
        some = torch.arange(4) * 2 + step % 2
        return AugmentedBatch(first[some], second[some], flow[some], mask, mask)

    learning = learning_of(state.model, device=CPU, precision=torch.bfloat16)
    for progress in train_steps(state, Recipe(stages=(stage,)), draw, learning, device=CPU):
        if progress.step % 100 == 0:
            print(f"step {progress.step}: EPE {progress.epe:.3f} px, {progress.seconds:.2f} s")
    with torch.no_grad():
        found = state.model(to_model_range(first), to_model_range(second), 4)[-1]
    assert torch.linalg.vector_norm(found - flow, dim=1).mean() < 0.3


def calm_pairs(bank: TextureBank, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """The frames and flow of generated pairs of 128 x 160 with a mean motion of 1 to 4 px."""
    scenes = render(bank, count=8 * count, height=128, width=160, seed=5)
    speed = torch.linalg.vector_norm(scenes.flow, dim=1).mean(dim=(1, 2))
    calm = ((speed > 1) & (speed < 4)).nonzero().flatten()[:count]
    assert len(calm) == count
    return scenes.first[calm], scenes.second[calm], scenes.flow[calm]


def test_without_a_pool_every_step_renders_new_pairs(make_scenes: Callable[[int, int], Scenes]) -> None:
    rendered = []

    def render_and_note(count: int, seed: int) -> Scenes:
        rendered.append((count, seed))
        return make_scenes(count, seed)

    draw = draw_rendered(render_and_note, RECIPE)
    first, again, second = (draw(step, RECIPE.stages[0]) for step in (0, 0, 1))
    assert torch.equal(first.first, again.first)
    assert not torch.equal(first.first, second.first)
    assert rendered == [(RECIPE.stages[0].batch, step) for step in (0, 0, 1)]


@pytest.mark.usefixtures("tiny")
def test_a_run_logs_its_initial_weights(tmp_path: Path) -> None:
    checkpoint.save(RAFT(), tmp_path / "older.safetensors")
    run_training(options(tmp_path, weights=str(tmp_path / "older.safetensors")))
    first, *_ = (json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines())
    digest = hashlib.sha256((tmp_path / "older.safetensors").read_bytes()).hexdigest()
    assert first == {"begun_with": "older", "sha256": digest}


@pytest.mark.parametrize(
    ("size", "changes", "says"),
    [
        ("small", {"frozen": ("contxt_encoder",)}, "freezes or slows 'contxt_encoder'"),
        ("small", {"slow": ("contxt_encoder",)}, "freezes or slows 'contxt_encoder'"),
        ("large", {"renew_context": True}, "reinitialises the context encoder"),
    ],
)
def test_a_recipe_that_does_not_fit_the_model_is_refused_with_a_hint(
    size: str, changes: dict[str, object], says: str
) -> None:
    recipe = replace(RECIPE, stages=(replace(RECIPE.stages[0], **changes),))
    with pytest.raises(UsageError, match=says):
        refuse_what_does_not_fit(RAFT(LARGE) if size == "large" else RAFT(), recipe, "mine")
