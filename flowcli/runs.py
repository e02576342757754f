"""Training from start to end: it can be stopped at any moment and goes on exactly where it was."""

from __future__ import annotations

import functools
import math
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from tqdm import tqdm

from flowcli import datasets
from flowcli.device import choose_device, choose_precision, keep_memory
from flowcli.errors import UsageError
from flowcli.interruption import Interruption, StoppedError
from flowcli.parallel import Group
from flowcli.pool import Pool
from flowcli.recipes import RECIPES, Recipe
from flowcli.run_folder import RunFolder
from flowcli.synthesis import TextureBank, render
from flowcli.training import Progress, TrainingState, draw_from_pool, draw_rendered, train_steps, validate
from flowcli.weights import find, load
from raft_core.raft import RAFT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flowcli.augmentation import AugmentedBatch
    from flowcli.recipes import Stage
    from flowcli.synthesis import Scenes

SECONDS_BETWEEN_SAVES = 180
STEPS_BETWEEN_LINES = 25


@dataclass(frozen=True)
class TrainingOptions:
    """What `flowcli train` was asked for."""

    run: Path
    recipe: str
    textures: Path | None
    validation: Path | None
    weights: str | None
    device: str
    precision: str
    threads: int
    minutes_between_validations: float


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """A run under way."""

    options: TrainingOptions
    recipe: Recipe
    device: torch.device
    folder: RunFolder
    state: TrainingState
    group: Group


def run_training(options: TrainingOptions) -> str:
    """Trains until the recipe ends, and says in one line what came of it; under `torchrun`, in several processes."""
    with Group.from_environment() as group:
        run = take_up(options, group)
        begun = run.state.step
        precision = training_precision(options.precision, run.device)
        steps = train_steps(run.state, run.recipe, drawing(run), device=run.device, precision=precision, group=group)
        # Not in a `finally`: what fails within a step leaves half of it behind, and the last save is whole.
        epe = watch(steps, run)
        if group.leads:
            run.folder.save(run.state)
    line = f"trained {run.state.step} of {run.recipe.steps} steps in {options.run}"
    if begun:
        line += f", {begun} of them before" if begun < run.state.step else ", all of them before"
    return line + (f"; validation EPE {epe['mean']:.3f} px" if epe else "")


def take_up(options: TrainingOptions, group: Group) -> TrainingRun:
    """The run as its folder has it, or a new one; what cannot be trained on is refused here."""
    if options.recipe not in RECIPES:
        raise UsageError(f"there is no recipe {options.recipe!r}", hint=f"recipes: {', '.join(RECIPES)}")
    recipe = RECIPES[options.recipe]
    if any(stage.parts % group.size for stage in recipe.stages):
        raise UsageError(
            f"{group.size} processes cannot share the batches of recipe {options.recipe!r} evenly",
            hint="start as many processes as a step has parts, or fewer that divide them",
        )
    device = choose_device(options.device)
    training_precision(options.precision, device)
    if options.validation:
        # A folder without pairs is refused now rather than at the first validation.
        datasets.samples("pairs", options.validation)
    keep_memory()
    if options.threads:
        torch.set_num_threads(options.threads)
    folder = RunFolder(options.run)
    if group.leads:
        folder.begin(recipe, options.textures)
    if options.weights and folder.state.exists():
        raise UsageError(
            f"{options.run} goes on from its own state", hint="leave --weights out, or choose another --run"
        )
    torch.manual_seed(recipe.seed)
    weights = find(options.weights) if options.weights else None
    state = TrainingState.begin(load(weights) if weights else RAFT(), device=device)
    if weights and group.leads:
        folder.log({"begun_with": weights.name, "sha256": weights.sha256})
    folder.take_up(state)
    return TrainingRun(options, recipe, device, folder, state, group)


def drawing(run: TrainingRun) -> Callable[[int, Stage], AugmentedBatch]:
    """Where the run's batches come from: its pool, or a renderer on its device."""
    recipe, textures = run.recipe, run.options.textures
    if not recipe.pool_pairs:
        return draw_rendered(scene_renderer(textures, recipe, run.device), recipe)
    pool = Pool(run.folder.path / "pool", scene_renderer(textures, recipe, torch.device("cpu")))
    return draw_from_pool(pool.read, recipe)


def watch(steps: Iterator[Progress], run: TrainingRun) -> dict[str, float]:
    """Consumes the steps: shows and logs progress, saves, validates; returns the last validation."""
    state, folder, options, group = run.state, run.folder, run.options, run.group
    epe: dict[str, float] = {}
    saved = validated = time.monotonic()
    recent: list[Progress] = []
    bar = tqdm(total=run.recipe.steps, initial=state.step, unit="step", disable=None if group.leads else True)
    with Interruption() as interruption, bar:
        for progress in steps:
            # Together, or the ones that go on would wait for the one that stopped.
            stopped = group.largest(interruption.number or 0)
            if group.leads:
                bar.update()
                recent.append(progress)
                now = time.monotonic()
                if len(recent) == STEPS_BETWEEN_LINES:
                    folder.log(averaged(recent))
                    recent.clear()
                if stopped or now - saved > SECONDS_BETWEEN_SAVES:
                    folder.save(state)
                    saved = time.monotonic()
                due = now - validated > 60 * options.minutes_between_validations or progress.step == run.recipe.steps
                if due and not stopped and options.validation:
                    epe = validate(state.average, datasets.items("pairs", options.validation), device=run.device)
                    best = folder.keep_best(state, epe, recipe=run.recipe)
                    folder.log({"step": state.step, "validation": epe, "best": best})
                    folder.draw_curve()
                    validated = time.monotonic()
            if stopped:
                hint = f"run the same command again to go on from step {state.step}"
                raise StoppedError(stopped, hint=hint)
    return epe


def averaged(steps: list[Progress]) -> dict[str, object]:
    """The log line of several steps: means of loss, error and seconds."""
    count = len(steps)
    known = [step.epe for step in steps if math.isfinite(step.epe)]
    return {
        "step": steps[-1].step,
        "stage": steps[-1].stage,
        "loss": round(sum(step.loss for step in steps) / count, 4),
        # A batch that shows nothing twice has no error, and JSON no NaN.
        "epe": round(statistics.fmean(known), 4) if known else None,
        "learning_rate": steps[-1].learning_rate,
        "seconds_per_step": round(sum(step.seconds for step in steps) / count, 3),
        "time": round(time.time()),
    }


def scene_renderer(textures: Path | None, recipe: Recipe, device: torch.device) -> Callable[[int, int], Scenes]:
    """Renders scenes of the recipe's size; textures are read when the first scene is asked for."""

    @functools.cache
    def bank() -> TextureBank:
        if textures is None:
            return TextureBank.procedural(seed=recipe.seed, device=device)
        return TextureBank.from_folder(textures, device=device)

    height, width = recipe.render_size

    def make(count: int, seed: int) -> Scenes:
        return render(bank(), count=count, height=height, width=width, seed=recipe.seed * 1_000_003 + seed)

    return make


def training_precision(name: str, device: torch.device) -> torch.dtype:
    """The number format of training: float32 on a CPU, where it is the fastest (weights/NOTES.md), else bfloat16.

    Never float16: it would need loss scaling.
    """
    if name == "fp16":
        raise UsageError("training knows no fp16", hint="use auto, fp32 or bf16: float16 would need loss scaling")
    if name == "auto":
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    return choose_precision(name, device)
