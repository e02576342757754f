"""The training loop of RAFT: the state of a run, its steps, and validation."""

from __future__ import annotations

import copy
import time
from collections import Counter
from dataclasses import dataclass, field, fields, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import torch

from flowcli.evaluation.summary import evaluate
from flowcli.model.device import autocast
from flowcli.model.estimator import FlowEstimator
from flowcli.model.settings import Settings
from flowcli.training.augmentation.generated import AugmentedBatch
from flowcli.training.distributed import Group
from flowcli.training.openings import COLD, Opening, begin_updates, draw_opening
from flowcli.training.renew_context import renew_context
from raft_core.images import to_model_range
from raft_core.loss import matching_loss, sequence_loss
from raft_core.raft import RAFT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from jaxtyping import Float
    from torch import Tensor

    from flowcli.evaluation.datasets import FlowItem
    from flowcli.training.recipes import Recipe, Stage

    Batch = TypeVar("Batch")
    Learning = Callable[[Batch, Stage, Opening], Tensor]

SLOW = 0.2
"""The factor of the learning rate of a stage's `slow` parts."""

ALONE = Group()

Model = TypeVar("Model", bound=torch.nn.Module)


@dataclass
class TrainingState(Generic[Model]):
    """The state of a run between two steps. Random numbers depend on the step only, so no generator is saved."""

    model: Model
    average: Model
    optimiser: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0
    """The time of its steps, without the first step after every start, in which kernels are compiled."""
    done: Counter[str] = field(default_factory=Counter)
    """The number of steps by name of stage."""

    @classmethod
    def begin(cls, model: Model, *, device: torch.device) -> TrainingState[Model]:
        """The first state of a run; `average` is the exponential moving average of the weights, used for validation."""
        model = model.to(device).train()
        average = copy.deepcopy(model).eval()
        for parameter in average.parameters():
            parameter.requires_grad = False
        parts = [{"params": list(part.parameters()), "part": name} for name, part in model.named_children()]
        return cls(model, average, torch.optim.AdamW(parts, eps=1e-8, fused=device.type == "cuda"))

    def save(self, path: Path) -> None:
        """Writes the state to a file, which appears complete or not at all."""
        content = {
            "model": self.model.state_dict(),
            "ema": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "done": dict(self.done),
        }
        part = path.with_name(f".{path.name}.part")
        torch.save(content, part)
        part.replace(path)

    def load(self, path: Path) -> None:
        """Restores a saved state; a damaged file or one of another model raises exceptions of many classes."""
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        self.model.load_state_dict(content["model"])
        self.average.load_state_dict(content["ema"])
        # The options of parameter groups are set at every step; earlier versions had a single group.
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": content["optimiser"]["state"], "param_groups": groups})
        self.step = content["step"]
        # Absent from states of earlier versions.
        self.seconds = content.get("seconds", 0.0)
        self.done = Counter(content.get("done", {}))

    def due_step(self, recipe: Recipe, minutes: float | None) -> int:
        """The recipe's next step; with `minutes`, the one at the fraction of them that has passed in `seconds`."""
        if minutes is None:
            return self.step
        return min(recipe.steps, int(recipe.steps * self.seconds / (60 * minutes)))


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
        group.sum_up([*gradients, measured])
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


def learning_of(model: RAFT, *, device: torch.device, precision: torch.dtype) -> Learning[AugmentedBatch]:
    """`learn` for a model, on a GPU as CUDA graphs."""
    if device.type == "cuda":
        return CudaGraphStep(model, device=device, precision=precision)
    return partial(learn, model, device=device, precision=precision)


class CudaGraphStep:
    """`learn` as CUDA graphs, each captured at the first batch of its stage and opening, and replayed at the others.

    Launching the thousands of small kernels of a step from Python takes longer than the GPU takes to run them.
    """

    def __init__(self, model: RAFT, *, device: torch.device, precision: torch.dtype) -> None:
        self.model = model
        self.learn = partial(learn, model, device=device, precision=precision)
        self.device = device
        self.graphs: dict[tuple[object, ...], CapturedStep] = {}
        self.captured_for: tuple[object, ...] = ()

    def __call__(self, batch: AugmentedBatch, stage: Stage, opening: Opening = COLD) -> Float[Tensor, " 2"]:
        """Does and returns the same as `learn`; the returned tensor is overwritten by the next call."""
        same = replace(stage, name="", steps=0, learning_rate=(0.0, 0.0), weight_decay=0.0, peak=0.0)
        # The graphs add to the gradient tensors of their capture; frozen parts have none.
        gradients = tuple(id(weight.grad) for weight in self.model.parameters())
        if self.captured_for != (same, batch.first.shape, gradients):
            self.graphs.clear()
            for weight in self.model.parameters():
                if weight.requires_grad and weight.grad is None:
                    weight.grad = torch.zeros_like(weight)
            gradients = tuple(id(weight.grad) for weight in self.model.parameters())
            self.captured_for = (same, batch.first.shape, gradients)
        kind = (opening.run_in, opening.starts is None)
        if kind not in self.graphs:
            pool = next((step.graph.pool() for step in self.graphs.values()), None)
            self.graphs[kind] = capture(self.learn, self.model, batch, stage, opening, device=self.device, pool=pool)
        return self.graphs[kind].replay(batch, opening)


@dataclass(frozen=True, eq=False)
class CapturedStep:
    """A CUDA graph of a step, the tensors it reads and the one it writes."""

    graph: torch.cuda.CUDAGraph
    batch: AugmentedBatch
    opening: Opening
    measured: Float[Tensor, " 2"]

    def replay(self, batch: AugmentedBatch, opening: Opening) -> Float[Tensor, " 2"]:
        """Runs the step on another batch of the same shape."""
        for kept, given in ((self.batch, batch), (self.opening.starts, opening.starts)):
            for part in fields(given) if given is not None else ():
                getattr(kept, part.name).copy_(getattr(given, part.name))
        self.graph.replay()
        return self.measured


def capture(
    step: Callable[[AugmentedBatch, Stage, Opening], Tensor],
    model: RAFT,
    batch: AugmentedBatch,
    stage: Stage,
    opening: Opening,
    *,
    device: torch.device,
    pool: Any,
) -> CapturedStep:
    """Captures a step, in the memory `pool` of earlier graphs; restores gradients and running statistics afterwards."""
    graph = torch.cuda.CUDAGraph()
    batch = AugmentedBatch(**{part.name: getattr(batch, part.name).to(device, copy=True) for part in fields(batch)})
    opening = opening.to(device, copy=True)
    kept = [weight.grad for weight in model.parameters() if weight.grad is not None] + list(model.buffers())
    before = [tensor.clone() for tensor in kept]
    # Warm-up before capture, in which libraries choose algorithms and compilers compile.
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(2):
            step(batch, stage, opening)
    torch.cuda.current_stream().wait_stream(stream)
    # Other threads draw batches during the capture.
    with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
        measured = step(batch, stage, opening)
    for tensor, value in zip(kept, before, strict=True):
        tensor.copy_(value)
    return CapturedStep(graph, batch, opening, measured)


def compile_update(model: RAFT) -> None:
    """Replaces the model's update by a compiled one, compiled at its first call with each size of batch and crop."""
    model.update = torch.compile(model.update, dynamic=False)  # type: ignore[method-assign]


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


def freeze(model: torch.nn.Module, names: Sequence[str]) -> None:
    """Excludes exactly these parts of the model from training."""
    for name, weight in model.named_parameters():
        weight.requires_grad_(not name.startswith(tuple(f"{part}." for part in names)))
        if not weight.requires_grad:
            weight.grad = None


def learn(
    model: RAFT,
    batch: AugmentedBatch,
    stage: Stage,
    opening: Opening = COLD,
    *,
    device: torch.device,
    precision: torch.dtype,
) -> Float[Tensor, " 2"]:
    """Adds one part's contribution to the gradients; returns its contributions to the step's loss and to its EPE."""
    first, second = to_model_range(batch.first.to(device)), to_model_range(batch.second.to(device))
    ground_truth = batch.flow.to(device)
    valid = (batch.visible & batch.inside if stage.visible_only else torch.ones_like(batch.visible)).to(device)
    valid = valid & ground_truth.isfinite().all(dim=1)  # NaN is unknown flow of datasets
    with autocast(device, precision):
        begun = model.begin(first, second)
        context, start = begin_updates(model, begun, second, opening.to(device))
        updates = model.updates(begun.correlation, context, initial_flow=start)
        flows = [update.upsampled() for update in islice(updates, stage.iterations)]
        visible = valid & batch.visible.to(device)
        features = begun.first_features, begun.second_features
        matching = matching_loss(*features, ground_truth, visible) if stage.matching else 0.0
    loss = sequence_loss(flows, ground_truth, valid, gamma=stage.gamma, max_flow=stage.max_flow, power=stage.power)
    loss = (loss + stage.matching * matching) / stage.parts
    loss.backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        distance = torch.linalg.vector_norm(flows[-1].float() - ground_truth, dim=1)
        error = torch.where(valid, distance, 0.0).sum() / valid.sum() / stage.parts
    return torch.stack([loss.detach(), error])


@torch.no_grad()
def update_average(average: torch.nn.Module, model: torch.nn.Module, *, decay: float) -> None:
    """Moves the average by 1 − `decay` towards the model's weights; copies running statistics."""
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - decay)
    for copied, statistic in zip(average.buffers(), model.buffers(), strict=True):
        copied.copy_(statistic)


def validate(model: RAFT, items: Iterable[FlowItem], *, device: torch.device, iterations: int = 12) -> dict[str, float]:
    """The mean endpoint error in px of every group of items, and of all (`mean`), computed in float32."""
    estimator = FlowEstimator(model, device=device, settings=Settings(iterations=iterations))
    report = evaluate(items, estimator.flow_between)
    return {**{name: scores.epe for name, scores in report.groups.items()}, "mean": report.mean.epe}
