"""Training on datasets: recipe files, batches, resuming, and runs that diverge."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from flowcli.errors import PartialError, SourceError, UsageError
from flowcli.system.signals import Stop
from flowcli.training import learning, run, watch
from flowcli.training.dataset_batches import Mixture, read_ahead
from flowcli.training.learning import learning_of
from flowcli.training.loop import set_norms, train_steps
from flowcli.training.recipes import DatasetShare, Recipe, Stage, find_recipe, names, one_cycle, read_recipe
from flowcli.training.state import TrainingState
from raft_core import checkpoint
from raft_core.config import LARGE, SMALL
from raft_core.raft import RAFT
from tests import trees

ROOT = Path(__file__).parents[2]
TINY = """
ema_decay = 0.0

[[stages]]
name = "tiny"
steps = {steps}
batch = 2
crop = [128, 128]
iterations = 2
peak = {peak}

[[data]]
dataset = "pairs"
scale = [0.0, 0.2]
"""


def write_pairs(root: Path, count: int = 3) -> Path:
    random = np.random.default_rng(0)
    for number in range(count):
        folder = root / f"pair_{number}"
        folder.mkdir(parents=True)
        texture = cv2.GaussianBlur(random.integers(0, 256, (144, 160, 3), np.uint8), (0, 0), 2)
        cv2.imwrite(str(folder / "frame1.png"), texture[:, 4:])
        cv2.imwrite(str(folder / "frame2.png"), texture[:, :-4])
        flow = np.zeros((144, 156, 2), np.float32)
        flow[..., 0] = 4
        np.savez(folder / "flow.npz", flow=flow, valid=np.arange(144)[:, None] + np.zeros(156) >= 20)
    return root


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    return write_pairs(tmp_path / "pairs")


def tiny(tmp_path: Path, *, steps: int = 3, peak: float = 1e-4) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY.format(steps=steps, peak=peak))
    return path


def valid(**stage: object) -> str:
    """A recipe file with these values of its stage, which replace others."""
    values = {"steps": 3, "batch": 2, "crop": [128, 128], "iterations": 2, "peak": 0.1, **stage}
    lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items())
    return f'[[stages]]\nname = "tiny"\n{lines}\n[[data]]\ndataset = "pairs"\nscale = [0.0, 0.2]\n'


def test_the_one_cycle_schedule_equals_pytorchs() -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.AdamW([weight], lr=4e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 4e-4, 1100, pct_start=0.05, cycle_momentum=False, anneal_strategy="linear"
    )
    for step in range(1000):
        assert one_cycle(step, steps=1000, peak=4e-4) == pytest.approx(optimiser.param_groups[0]["lr"], rel=1e-9)
        optimiser.step()
        schedule.step()


@pytest.mark.parametrize(
    ("name", "schedule", "rest"),
    [
        ("chairs", (100_000, 10, (368, 496), 4e-4), (1e-4, 0.8, False)),
        ("things", (100_000, 6, (400, 720), 1.25e-4), (1e-4, 0.8, True)),
        ("sintel", (100_000, 6, (368, 768), 1.25e-4), (1e-5, 0.85, True)),
        ("kitti", (50_000, 6, (288, 960), 1e-4), (1e-5, 0.85, True)),
    ],
)
def test_published_stages_are_as_published(name: str, schedule: object, rest: object) -> None:
    recipe = find_recipe(name)
    (stage,) = recipe.stages
    assert (stage.steps, stage.batch, stage.crop, stage.peak) == schedule
    assert (stage.weight_decay, stage.gamma, stage.freeze_norm) == rest
    assert (recipe.model, stage.max_flow, stage.iterations) == ("large", 400, 12)


def test_the_sintel_stage_has_the_published_mixture() -> None:
    shares = {share.dataset: (share.times, share.groups, share.sparse) for share in find_recipe("sintel").data}
    assert shares == {
        "sintel": (100, (), False),
        "kitti": (200, (), True),
        "hd1k": (5, (), True),
        "things": (1, ("clean",), False),
    }


def test_every_named_recipe_can_be_read() -> None:
    assert {"cpu", "chairs", "things", "sintel", "kitti", "finetune"} <= set(names())
    for name in names():
        assert find_recipe(name).steps > 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stages = 3", "is not a recipe"),
        ("[[stages]]\nname = 'x'", "is not a recipe: data|is not a recipe: 'data'|missing"),
        ("colour = 1", "unknown key colour, the keys are"),
        ("[", "is not a recipe"),
        ("data = []\nstages = []", "it is not about datasets"),
        (valid(steps=0), "stages.0.steps: input should be greater than or equal to 1"),
        (valid(steps=2.5), "stages.0.steps: input should be a valid integer"),
        (valid(batch="x"), "stages.0.batch: input should be a valid integer"),
        (valid(crop=[100, 128]), "stages.0.crop.0: input should be a multiple of 8"),
        (valid(crop=128), "stages.0.crop: input should be a valid tuple"),
        (valid(gamma=0), "stages.0.gamma: input should be greater than 0"),
        (valid(visible_only=True), "visible_only of a stage is for generated pairs"),
        (valid(shifts=8), "shifts of a stage is for generated pairs"),
        (valid(colour=1), "stages.0.colour: unexpected keyword argument"),
        (valid().replace("peak = 0.1", ""), "stages.0.learning_rate: field required"),
        (valid() + "times = 0", "data.0.times: input should be greater than or equal to 1"),
        (valid().replace("0.2]", "-1]"), "data.0.scale: value error, the first number is larger than the second"),
        ("model = 'huge'\n" + valid(), "model: input should be 'small', 'small-convex', 'large'"),
    ],
)
def test_a_file_that_is_not_a_recipe_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(SourceError, match=message):
        read_recipe(path)


def test_what_is_not_refused_is_a_recipe(tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text(valid())
    assert read_recipe(tmp_path / "good.toml").stages[0].learning_rate == pytest.approx((0.004, 4e-7))


def recipe_of(**stage: int) -> Recipe:
    return Recipe(
        stages=(Stage("x", 4, 2, (128, 128), 1, (1e-4, 1e-4), **stage),), data=(DatasetShare("pairs", (0.0, 0.2)),)
    )


def test_pairs_do_not_depend_on_how_batches_are_split(pairs: Path) -> None:
    recipe = recipe_of()
    mixture = Mixture(recipe, {"pairs": pairs})
    whole = mixture.draw(1, recipe.stages[0])
    halves = [mixture.draw(number, recipe.stages[0].split(2)) for number in (2, 3)]
    assert torch.equal(whole.first, torch.cat([half.first for half in halves]))
    assert torch.equal(whole.flow.nan_to_num(7), torch.cat([half.flow for half in halves]).nan_to_num(7))
    assert bool(whole.flow.isnan().any()) and bool(whole.flow.isfinite().any())


def test_every_pair_is_drawn_once_in_each_round(pairs: Path) -> None:
    mixture = Mixture(recipe_of(), {"pairs": pairs})
    for round_ in range(4):
        assert sorted(mixture._shuffled(round_).tolist()) == [0, 1, 2]


def test_prefetched_batches_are_the_same_in_the_same_order(pairs: Path) -> None:
    recipe = recipe_of()
    mixture = Mixture(recipe, {"pairs": pairs})
    turns = [(number, recipe.stages[0]) for number in range(5)]
    for turn, batch in zip(turns, read_ahead(mixture.draw, turns, workers=2), strict=True):
        assert torch.equal(batch.second, mixture.draw(*turn).second)


def test_a_context_is_reinitialised_by_the_same_batches_with_and_without_prefetching(
    flowcli, tmp_path: Path, pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "STEPS_BETWEEN_LINES", 1)
    (tmp_path / "renew.toml").write_text(valid(parts=2, batch=1, iterations=1, renew_context=True, peak=1e-4))
    curves = []
    for workers in (0, 1):
        line = ("--run", tmp_path / f"run{workers}", "--recipe", tmp_path / "renew.toml", "--data", f"pairs={pairs}")
        assert flowcli("train", *line, "--workers", workers, "--device", "cpu").code == 0
        curves.append([(record["step"], record["loss"]) for record in log_of(tmp_path / f"run{workers}")])
    assert len(curves[0]) == 3 and curves[0] == curves[1]


def test_a_missing_folder_of_a_dataset_is_named(pairs: Path) -> None:
    with pytest.raises(UsageError, match=r"^this recipe trains on hd1k, kitti, sintel, things$") as caught:
        Mixture(find_recipe("sintel"), {"pairs": pairs})
    assert "--data hd1k=FOLDER --data kitti=FOLDER" in caught.value.hint


def train(flowcli, tmp_path: Path, recipe: Path, pairs: Path, *more: object):
    line = ("train", "--run", tmp_path / "run", "--recipe", recipe, "--data", f"pairs={pairs}", "--device", "cpu")
    return flowcli(*line, *more)


def log_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_a_run_without_a_terminal_says_which_step_is_saved(flowcli, tmp_path: Path, pairs: Path, monkeypatch) -> None:
    monkeypatch.setattr("flowcli.training.watch.SECONDS_BETWEEN_SAVES", 0)
    monkeypatch.setattr("flowcli.training.watch.STEPS_BETWEEN_LINES", 1)
    ended = train(flowcli, tmp_path, tiny(tmp_path), pairs)
    assert [line for line in ended.err if "saved" in line] == [f"step {step} of 3 is saved" for step in (1, 2, 3)]


def test_training_on_pairs_validates_and_draws_curves(flowcli, tmp_path: Path, pairs: Path) -> None:
    ended = train(flowcli, tmp_path, tiny(tmp_path), pairs, "--validation", f"pairs={pairs}", "--tensorboard")
    assert ended.code == 0 and "trained 3 of 3 steps" in ended.err[-1]
    assert any("validation" in record for record in log_of(tmp_path / "run"))
    assert any((tmp_path / "run" / "tensorboard").iterdir())


def test_a_run_killed_in_its_last_validation_is_validated_when_it_is_resumed(
    flowcli, tmp_path: Path, pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> dict[str, float]:
        raise Stop(signal.SIGTERM)

    monkeypatch.setattr(watch, "SECONDS_BETWEEN_SAVES", 0)
    monkeypatch.setattr(watch, "STEPS_BETWEEN_LINES", 1)
    with monkeypatch.context() as patch:
        patch.setattr(watch, "errors_of", killed)
        assert train(flowcli, tmp_path, tiny(tmp_path), pairs, "--validation", pairs).code == 143
    for more in ("; validation EPE ", ""):
        ended = train(flowcli, tmp_path, tiny(tmp_path), pairs, "--validation", pairs)
        assert f"trained 3 of 3 steps in {tmp_path / 'run'}, all of them before{more}" in ended.err[-1]
    assert json.loads((tmp_path / "run" / "best.json").read_text())["step"] == 3
    assert [record["step"] for record in log_of(tmp_path / "run") if "validation" in record] == [3]


def test_the_validation_of_a_run_is_the_evaluation_of_its_weights(flowcli, tmp_path: Path, pairs: Path) -> None:
    # KITTI's frames are padded at the bottom.
    trees.kitti_2015(tmp_path / "kitti")
    assert train(flowcli, tmp_path, tiny(tmp_path), pairs, "--validation", f"kitti={tmp_path / 'kitti'}").code == 0
    weights = ("--weights", tmp_path / "run" / "best.safetensors")
    plain = ("--iters", 12, "--refine", "none", "--scale", 1, "--device", "cpu", "--json")
    evaluated = json.loads("".join(flowcli("eval", "kitti", tmp_path / "kitti", *weights, *plain).out))
    validated = json.loads((tmp_path / "run" / "best.json").read_text())["epe"]
    assert validated["mean"] == pytest.approx(evaluated["mean"]["epe"], rel=1e-6)


def test_a_run_from_weights_of_any_size_is_resumed_by_the_same_command(flowcli, tmp_path: Path, pairs: Path) -> None:
    weights, others = tmp_path / "large.safetensors", tmp_path / "small.safetensors"
    for config, path in ((LARGE, weights), (SMALL, others)):
        checkpoint.save(RAFT(config), path)
    for steps, before in ((1, ""), (2, ", 1 of them before")):
        ended = train(flowcli, tmp_path, tiny(tmp_path, steps=steps), pairs, "--weights", weights)
        assert (ended.code, ended.err[-1]) == (0, f"trained {steps} of {steps} steps in {tmp_path / 'run'}{before}")
    assert checkpoint.load(tmp_path / "run" / "last.safetensors").config == LARGE
    for more in ((), ("--weights", others)):
        ended = train(flowcli, tmp_path, tiny(tmp_path), pairs, *more)
        assert (ended.code, ended.err[0][-39:]) == (2, "another size, seed, textures or weights")


def test_accumulated_gradients_equal_those_of_the_whole_batch(pairs: Path) -> None:
    losses = []
    for count in (1, 2):
        recipe = run.in_parts(recipe_of(), count)
        torch.manual_seed(0)
        state = TrainingState.begin(RAFT(), device=torch.device("cpu"))
        draw = Mixture(recipe, {"pairs": pairs}).draw
        steps = train_steps(
            state,
            recipe,
            draw,
            learning_of(state.model, device=torch.device("cpu"), precision=torch.float32),
            device=torch.device("cpu"),
        )
        losses.append([step.loss for step in steps])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_only_batch_norm_that_is_not_frozen_is_in_training_mode() -> None:
    model = RAFT(LARGE).train()
    norm = model.context_encoder.stem.norm
    set_norms(model, frozen=True)
    assert not norm.training and model.training
    set_norms(model, frozen=False)
    assert norm.training


@pytest.mark.parametrize(
    ("more", "error"),
    [
        (("--accumulate", 3), "error: batches of 2 do not divide by 3"),
        (("--data", "cinema=x"), "error: --data cinema=x is not NAME=PATH of a dataset"),
    ],
)
def test_unusable_options_are_refused(flowcli, tmp_path: Path, pairs: Path, more, error: str) -> None:
    ended = train(flowcli, tmp_path, tiny(tmp_path), pairs, *more)
    assert (ended.code, ended.err[-2]) == (2, error)


def test_a_run_that_has_diverged_ends_with_an_error(
    flowcli, tmp_path: Path, pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowcli.training.watch.MOST_SKIPPED", 3)
    monkeypatch.setattr(learning, "sequence_loss", lambda flows, *_, **__: flows[-1].sum() * float("nan"))
    ended = train(flowcli, tmp_path, tiny(tmp_path, steps=9), pairs)
    assert ended.code == PartialError.exit_code
    assert ended.err[-2] == "error: the last 3 steps up to 3 had no finite gradient: the run has diverged"
    assert torch.load(tmp_path / "run" / "state.pt", weights_only=True)["step"] == 3


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_finetuning_on_eight_pairs_improves_them_and_resumes_after_a_kill_with_the_same_curve(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "pairs", 8)
    recipe = tiny(tmp_path, steps=100, peak=2e-4)

    def start(name: str) -> subprocess.Popen[bytes]:
        line = ["train", "--run", tmp_path / name, "--recipe", recipe, "--data", f"pairs={pairs}", "--device", "cpu"]
        line += ["--threads", "1", "--save-every", "0", "--validation", pairs, "--weights", "raft-small"]
        return subprocess.Popen([sys.executable, "-m", "flowcli", *map(str, line)], cwd=ROOT, env=os.environ)

    assert start("whole").wait() == 0
    killed = start("killed")
    while not (tmp_path / "killed" / "state.pt").exists():
        time.sleep(0.2)
    time.sleep(3)  # some steps beyond the save
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert start("killed").wait() == 0
    curves = [
        [(record["step"], record["loss"], record["epe"]) for record in log_of(tmp_path / name) if "loss" in record]
        for name in ("whole", "killed")
    ]
    print(curves[0])
    assert len(curves[0]) == 4
    assert curves[0] == curves[1]
    # As training validates.
    line = ["eval", "pairs", pairs, "--weights", "raft-small", "--iters", "12", "--refine", "none", "--scale", "1"]
    line += ["--precision", "fp32", "--json", "-q"]
    command = [sys.executable, "-m", "flowcli", *map(str, line)]
    before = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    after = json.loads((tmp_path / "killed" / "best.json").read_text())["epe"]["mean"]
    print(json.loads(before.stdout)["mean"]["epe"], "→", after)
    assert after < json.loads(before.stdout)["mean"]["epe"]
