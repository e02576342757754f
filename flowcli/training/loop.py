"""The training loop: the steps of a recipe, from the state of a run."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from flowcli.training.distributed import Group
from flowcli.training.openings import draw_opening
from flowcli.training.renew_context import renew_context
from raft_core.images import to_model_range

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from flowcli.training.augmentation.generated import AugmentedBatch
    from flowcli.training.learning import Batch, Learning
    from flowcli.training.recipes import Recipe, Stage
    from flowcli.training.state import TrainingState
    from raft_core.raft import RAFT

SLOW = 0.2
"""The factor of the learning rate of a stage's `slow` parts."""

ALONE = Group()


@dataclass(frozen=True)
class Progress:
    """The record of one step: its `loss`, the `epe` of the last update in px, learning rate and duration.

    A step without finite gradients is `skipped`: it does not change the weights.
    """

    step: int
    stage: str
    loss: float
    epe: float
    learning_rate: float
    seconds: float
    skipped: bool = False


def train_steps(
    state: TrainingState[Any],
    recipe: Recipe,
    draw: Callable[[int, Stage], Batch],
    learning: Learning[Batch],
    *,
    device: torch.device,
    group: Group = ALONE,
    minutes: float | None = None,
) -> Iterator[Progress]:
    """Runs the recipe from the state's step on; each item of the iterator is one step.

    `learning` adds to the gradients, as `learn` does. A step averages the gradients of its `parts`, which are divided
    among the processes of the group. With `minutes`, the recipe's steps are the proportions of its stages in that time,
    in which as many steps run as fit; the time of the group's slowest process counts.
    """
    first_step = state.step
    while (due := state.due_step(recipe, minutes)) < recipe.steps:
        started = time.perf_counter()
        stage, learning_rate = recipe.at(due)
        for options in state.optimiser.param_groups:
            factor = SLOW if options["part"] in stage.slow else 1.0
            options.update(lr=factor * learning_rate, weight_decay=stage.weight_decay)
        set_norms(state.model, frozen=stage.freeze_norm)
        freeze(state.model, stage.frozen)
        if stage.renew_context and recipe.begins(state.step):
            batches: list[Any] = [draw(state.step * stage.parts + part, stage) for part in range(stage.parts)]
            reinitialise_context(state, batches, device=device)
        statistics = [buffer.clone() for buffer in state.model.buffers()]
        state.optimiser.zero_grad(set_to_none=False)
        measured = torch.zeros(2, device=device)
        for part in group.shard(stage.parts):
            number = state.step * stage.parts + part
            opening = draw_opening(stage, number, seed=recipe.seed)
            measured += learning(draw(number, stage), stage, opening)
        gradients = [weight.grad for weight in state.model.parameters() if weight.grad is not None]
        # Each process has seen other pairs, and all must go on with the same model.
        running = running_statistics(state.model)
        group.sum_up([*gradients, measured, *running])
        for statistic in running:
            statistic.div_(group.size)
        norm = torch.nn.utils.clip_grad_norm_(state.model.parameters(), 1.0)
        # One bad batch must neither end a long run nor remain in the running statistics.
        finite = bool(torch.isfinite(norm))
        if finite:
            state.optimiser.step()
        else:
            for buffer, before in zip(state.model.buffers(), statistics, strict=True):
                buffer.copy_(before)
        update_average(state.average, state.model, decay=min(recipe.ema_decay, (1 + state.step) / (10 + state.step)))
        state.step += 1
        state.done[stage.name] += 1
        loss, epe = measured.tolist()
        seconds = time.perf_counter() - started
        if state.step > first_step + 1:
            state.seconds += seconds if minutes is None else group.largest(round(1e6 * seconds)) / 1e6
        yield Progress(state.step, stage.name, loss, epe, learning_rate, seconds, skipped=not finite)


def reinitialise_context(
    state: TrainingState[RAFT], batches: Sequence[AugmentedBatch], *, device: torch.device
) -> None:
    """Reinitialises the context encoder, the average and the optimiser's state."""
    images = torch.cat([batch.first for batch in batches]).to(device)
    renew_context(state.model, to_model_range(images))
    state.average.load_state_dict(state.model.state_dict())
    state.optimiser.state.clear()


def set_norms(model: torch.nn.Module, *, frozen: bool) -> None:
    """Has batch normalisation use and update batch statistics, or with `frozen` use its running statistics."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.train(not frozen)


def running_statistics(model: torch.nn.Module) -> list[Tensor]:
    """The running means and variances that training changes."""
    norms = [part for part in model.modules() if isinstance(part, torch.nn.BatchNorm2d) and part.training]
    return [buffer for norm in norms for buffer in norm.buffers() if buffer.is_floating_point()]


def freeze(model: torch.nn.Module, names: Sequence[str]) -> None:
    """Excludes exactly these parts of the model from training, with their running statistics."""
    for name in names:
        set_norms(model.get_submodule(name), frozen=True)
    for name, weight in model.named_parameters():
        weight.requires_grad_(not name.startswith(tuple(f"{part}." for part in names)))
        if not weight.requires_grad:
            weight.grad = None


@torch.no_grad()
def update_average(average: torch.nn.Module, model: torch.nn.Module, *, decay: float) -> None:
    """Moves the average by 1 − `decay` towards the model's weights; copies running statistics."""
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - decay)
    for copied, statistic in zip(average.buffers(), model.buffers(), strict=True):
        copied.copy_(statistic)
