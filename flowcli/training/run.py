"""A training run from start to end, which can be stopped and resumed.

A resumed run computes the same as one that was not stopped, unless render workers make its pairs or --minutes limits
its steps: both depend on the machine's speed.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from flowcli.errors import UsageError
from flowcli.evaluation import datasets
from flowcli.model import refiner
from flowcli.model.device import choose_device, choose_precision, keep_memory
from flowcli.model.weights import DEFAULT, find, load
from flowcli.training.batches import open_batches
from flowcli.training.dataset_batches import Mixture
from flowcli.training.distributed import Group
from flowcli.training.learning import compile_update, learning_of
from flowcli.training.loop import train_steps
from flowcli.training.mask_head import with_mask_head
from flowcli.training.options import TrainingOptions, TrainingRun
from flowcli.training.recipes import Recipe, find_recipe
from flowcli.training.refiner import learn_to_refine
from flowcli.training.run_folder import RunFolder
from flowcli.training.state import TrainingState
from flowcli.training.synthesis.textures import image_files
from flowcli.training.tensorboard import TensorBoardLog
from flowcli.training.validation import validation_data
from flowcli.training.watch import watch
from raft_core.config import LARGE, SMALL, SMALL_CONVEX
from raft_core.raft import RAFT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowcli.training.learning import Learning

SIZES = {"small": SMALL, "small-convex": SMALL_CONVEX, "large": LARGE}


def run_training(options: TrainingOptions) -> str:
    """Trains until the recipe ends and returns a one-line summary; under `torchrun`, in several processes.

    Raises UsageError, SourceError or WeightsError for unusable options, PartialError for a run that diverges, and
    StoppedError after a signal, when the state is saved.
    """
    with Group.from_environment() as group:
        run = open_run(options, group)
        earlier_steps = run.state.step
        with open_batches(run) as draw:
            steps = train_steps(
                run.state,
                run.recipe,
                draw,
                learning(run),
                device=run.device,
                group=group,
                minutes=options.minutes,
            )
            # The save below is not in a `finally`: an error may leave a step half done, and the last save is whole.
            epe = watch(steps, run)
        if group.leads:
            run.folder.save(run.state)
    line = f"trained {run.state.step} of {run.recipe.steps} steps in {options.run}"
    if options.minutes is not None:
        line = f"trained {run.state.step} steps in {run.state.seconds / 60:.1f} minutes in {options.run}"
    if earlier_steps:
        line += f", {earlier_steps} of them before" if earlier_steps < run.state.step else ", all of them before"
    return line + (f"; validation EPE {epe['mean']:.3f} px" if epe else "")


def open_run(options: TrainingOptions, group: Group) -> TrainingRun:
    """Opens or creates the run in its folder; raises UsageError, SourceError or WeightsError for unusable options."""
    recipe = in_parts(find_recipe(options.recipe), options.accumulate)
    if any(stage.parts % group.size for stage in recipe.stages):
        raise UsageError(
            f"{group.size} processes cannot share the batches of recipe {options.recipe!r} evenly",
            hint="start as many processes as a step has parts, or split its batches with --accumulate",
        )
    if options.minutes is not None and any(stage.renew_context for stage in recipe.stages):
        raise UsageError(
            f"recipe {options.recipe!r} reinitialises the context at a step that --minutes may skip",
            hint="leave --minutes out",
        )
    for option, chosen, useless in (
        ("--renderers", options.renderers, recipe.data or recipe.refines),
        ("--compile", options.compiled, recipe.refines),
    ):
        if chosen and useless:
            raise UsageError(f"recipe {options.recipe!r} has no use for {option}", hint=f"leave {option} out")
    device = choose_device(options.device)
    training_precision(options.precision, device)
    if options.validation:
        # Raises for an unusable folder now rather than at the first validation.
        datasets.samples(*validation_data(options.validation))
    check_data(options, recipe)
    keep_memory()
    if options.threads:
        torch.set_num_threads(options.threads)
    weights = find(options.weights or DEFAULT) if options.weights or recipe.refines else None
    first = load(weights) if weights else None
    board = TensorBoardLog(options.run / "tensorboard") if options.tensorboard and group.leads else None
    folder = RunFolder(options.run, board, refiner.save) if recipe.refines else RunFolder(options.run, board)
    if group.leads:
        folder.begin(recipe, options.textures, options.data, weights)
    torch.manual_seed(recipe.seed)
    model = refiner.Refiner() if recipe.refines else first_model(first, recipe)
    state: TrainingState[Any] = TrainingState.begin(model, device=device)
    refuse_what_does_not_fit(state.model, recipe, options.recipe)
    if weights and group.leads and not folder.state.exists():
        folder.log({"begun_with": weights.name, "sha256": weights.sha256})
    folder.restore(state)
    if options.compiled:
        compile_update(state.model)
    if group.leads:
        folder.truncate_log(state.step)
    return TrainingRun(options, recipe, device, folder, state, group, first if recipe.refines else None)


def learning(run: TrainingRun) -> Learning[Any]:
    """What a step of the run does with a batch."""
    if run.raft is not None:
        return partial(learn_to_refine, run.state.model, device=run.device)
    return learning_of(
        run.state.model, device=run.device, precision=training_precision(run.options.precision, run.device)
    )


def check_data(options: TrainingOptions, recipe: Recipe) -> None:
    """Raises UsageError or SourceError for unusable folders of training data, before the run's folder records them."""
    if recipe.data:
        Mixture(recipe, options.data)
    elif options.textures:
        image_files(options.textures)


def first_model(model: RAFT | None, recipe: Recipe) -> RAFT:
    """The model that a new run starts from; one that lacks the mask head of the recipe's model gets a new one."""
    config = SIZES[recipe.model]
    model = model or RAFT(config)
    lacks_head = replace(model.config, name=config.name, upsampling="convex") == config and model.mask_head is None
    return with_mask_head(model, config) if lacks_head else model


def refuse_what_does_not_fit(model: Any, recipe: Recipe, name: str) -> None:
    """Raises UsageError for a recipe with unknown parts, or that reinitialises a normalised context encoder."""
    parts = [part for part, _ in model.named_children()]
    for stage in recipe.stages:
        if unknown := {*stage.frozen, *stage.slow} - set(parts):
            raise UsageError(
                f"recipe {name!r} freezes or slows {min(unknown)!r}, which RAFT does not have",
                hint=f"its parts are {', '.join(parts)}",
            )
        if set(stage.frozen) >= set(parts):
            raise UsageError(f"recipe {name!r} freezes all parts of RAFT", hint=f"leave one of {', '.join(parts)} out")
        if stage.renew_context and model.config.context_norm != "none":
            raise UsageError(
                f"recipe {name!r} reinitialises the context encoder, which {model.config.name} normalises",
                hint="use weights of the small model",
            )


def in_parts(recipe: Recipe, count: int) -> Recipe:
    """The recipe with every batch split into `count` parts; raises UsageError where a batch is not divisible by it."""
    if any(stage.batch % count for stage in recipe.stages):
        batches = ", ".join(str(stage.batch) for stage in recipe.stages)
        raise UsageError(f"batches of {batches} do not divide by {count}", hint="choose another --accumulate")
    return recipe if count == 1 else replace(recipe, stages=tuple(stage.split(count) for stage in recipe.stages))


def folders(texts: Sequence[str]) -> dict[str, Path]:
    """The folders of datasets by name, from texts `NAME=PATH`; raises UsageError for anything else."""
    found = {}
    for text in texts:
        name, equals, folder = text.partition("=")
        if not equals or name not in datasets.names():
            known = ", ".join(datasets.names())
            raise UsageError(f"--data {text} is not NAME=PATH of a dataset", hint=f"datasets: {known}")
        found[name] = Path(folder)
    return found


def training_precision(name: str, device: torch.device) -> torch.dtype:
    """The number format of training; `auto` is float32 on a CPU (weights/NOTES.md), else bfloat16.

    Raises UsageError for float16, which would need loss scaling.
    """
    if name == "fp16":
        raise UsageError("training does not support fp16", hint="use auto, fp32 or bf16: fp16 would need loss scaling")
    if name == "auto":
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    return choose_precision(name, device)
