"""Training RAFT: the state of a run, one step after another, and validation."""

from __future__ import annotations

import copy
import time
from collections import Counter
from dataclasses import dataclass, field, fields, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch

from flowcli.evaluation.summary import evaluate
from flowcli.model.device import autocast
from flowcli.model.estimator import FlowEstimator
from flowcli.model.settings import Settings
from flowcli.training.augmentation.generated import AugmentedBatch
from flowcli.training.distributed import Group
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

SLOW = 0.2
"""The share of the learning rate that slow parts have."""

ALONE = Group()


@dataclass
class TrainingState:
    """All that a run carries from one step to the next. Randomness is a function of the step, so it needs no saving."""

    model: RAFT
    average: RAFT
    optimiser: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0
    """How long its steps took, without the first of every process: what a GPU needs is compiled in that."""
    done: Counter[str] = field(default_factory=Counter)
    """Steps by the name of their stage."""

    @classmethod
    def begin(cls, model: RAFT, *, device: torch.device) -> TrainingState:
        """A run's first state; `average` is the moving average of the weights, which is what gets evaluated."""
        model = model.to(device).train()
        average = copy.deepcopy(model).eval()
        for parameter in average.parameters():
            parameter.requires_grad = False
        parts = [{"params": list(part.parameters()), "part": name} for name, part in model.named_children()]
        return cls(model, average, torch.optim.AdamW(parts, eps=1e-8, fused=device.type == "cuda"))

    def save(self, path: Path) -> None:
        """Writes everything; the file appears complete or not at all."""
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
        """Takes up a saved run."""
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        self.model.load_state_dict(content["model"])
        self.average.load_state_dict(content["ema"])
        # What groups hold besides their weights is set at every step, and earlier versions had only one.
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": content["optimiser"]["state"], "param_groups": groups})
        self.step = content["step"]
        # Earlier versions did not count these.
        self.seconds = content.get("seconds", 0.0)
        self.done = Counter(content.get("done", {}))

    def reached(self, recipe: Recipe, minutes: float | None) -> int:
        """The step of the recipe that is due: the next one, or the one that the time says when all take `minutes`."""
        if minutes is None:
            return self.step
        return min(recipe.steps, int(recipe.steps * self.seconds / (60 * minutes)))


@dataclass(frozen=True)
class Progress:
    """What one step did: `loss` in pixels, `epe` of the last update over the crop, learning rate, seconds.

    A step whose gradients were not finite was `skipped`: it left the weights as they were.
    """

    step: int
    stage: str
    loss: float
    epe: float
    learning_rate: float
    seconds: float
    skipped: bool = False


def train_steps(
    state: TrainingState,
    recipe: Recipe,
    draw: Callable[[int, Stage], AugmentedBatch],
    *,
    device: torch.device,
    precision: torch.dtype,
    group: Group = ALONE,
    minutes: float | None = None,
) -> Iterator[Progress]:
    """Runs the recipe from the state's step on, one step each time it is asked.

    The `parts` of a step are batches whose gradients are averaged: one after another, or shared out in the group.
    With `minutes`, the recipe's steps only say how stages share that time, and as many are done as fit into it; the
    slowest of a group's processes keeps the time for all.
    """
    learning: Callable[[AugmentedBatch, Stage], Tensor]
    learning = partial(learn, state.model, device=device, precision=precision)
    if device.type == "cuda":
        learning = Recorded(state.model, device=device, precision=precision)
    begun = state.step
    while (due := state.reached(recipe, minutes)) < recipe.steps:
        started = time.perf_counter()
        stage, learning_rate = recipe.at(due)
        for options in state.optimiser.param_groups:
            pace = SLOW if options["part"] in stage.slow else 1.0
            options.update(lr=pace * learning_rate, weight_decay=stage.weight_decay)
        set_norms(state.model, frozen=stage.freeze_norm)
        freeze(state.model, stage.frozen)
        if stage.renew_context and recipe.begins(state.step):
            renew(state, [draw(state.step * stage.parts + part, stage) for part in range(stage.parts)], device=device)
        statistics = [buffer.clone() for buffer in state.model.buffers()]
        state.optimiser.zero_grad(set_to_none=False)
        measured = torch.zeros(2, device=device)
        for part in group.share(stage.parts):
            batch = draw(state.step * stage.parts + part, stage)
            measured += learning(batch, stage)
        gradients = [weight.grad for weight in state.model.parameters() if weight.grad is not None]
        group.sum_up([*gradients, measured])
        norm = torch.nn.utils.clip_grad_norm_(state.model.parameters(), 1.0)
        # One bad batch must not end a run of days, nor stay in the running statistics.
        finite = bool(torch.isfinite(norm))
        if finite:
            state.optimiser.step()
        else:
            for buffer, before in zip(state.model.buffers(), statistics, strict=True):
                buffer.copy_(before)
        follow(state.average, state.model, decay=min(recipe.ema_decay, (1 + state.step) / (10 + state.step)))
        state.step += 1
        state.done[stage.name] += 1
        loss, epe = measured.tolist()
        seconds = time.perf_counter() - started
        if state.step > begun + 1:
            state.seconds += seconds if minutes is None else group.largest(round(1e6 * seconds)) / 1e6
        yield Progress(state.step, stage.name, loss, epe, learning_rate, seconds, skipped=not finite)


class Recorded:
    """`learn` on a GPU: recorded with the first batch of a stage, and played back with the others.

    Of the thousands of small operations in a step each takes Python longer to start than the GPU to do.
    """

    def __init__(self, model: RAFT, *, device: torch.device, precision: torch.dtype) -> None:
        self.model = model
        self.learn = partial(learn, model, device=device, precision=precision)
        self.device = device
        self.recorded_for: tuple[object, ...] = ()

    def __call__(self, batch: AugmentedBatch, stage: Stage) -> Float[Tensor, " 2"]:
        """What `learn` does and returns."""
        same = replace(stage, name="", steps=0, learning_rate=(0.0, 0.0), weight_decay=0.0, peak=0.0)
        # Parts that a stage freezes have no gradients to add to.
        held = tuple(id(weight.grad) for weight in self.model.parameters())
        if self.recorded_for != (same, batch.first.shape, held):
            self.record(batch, stage)
            held = tuple(id(weight.grad) for weight in self.model.parameters())
            self.recorded_for = (same, batch.first.shape, held)
        for part in fields(batch):
            getattr(self.batch, part.name).copy_(getattr(batch, part.name))
        self.graph.replay()
        return self.measured

    def record(self, batch: AugmentedBatch, stage: Stage) -> None:
        """Records a step; gradients and statistics stay as they are."""
        self.graph = torch.cuda.CUDAGraph()
        copies = {part.name: getattr(batch, part.name).to(self.device, copy=True) for part in fields(batch)}
        self.batch = AugmentedBatch(**copies)
        weights = [weight for weight in self.model.parameters() if weight.requires_grad]
        for weight in weights:
            weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
        kept = [tensor for weight in weights if (tensor := weight.grad) is not None] + list(self.model.buffers())
        before = [tensor.clone() for tensor in kept]
        # Libraries choose their algorithms, and compilers compile, before anything is recorded.
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(2):
                self.learn(self.batch, stage)
        torch.cuda.current_stream().wait_stream(stream)
        # Batches are drawn in other threads meanwhile.
        with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):
            self.measured = self.learn(self.batch, stage)
        for tensor, value in zip(kept, before, strict=True):
            tensor.copy_(value)


def compile_update(model: RAFT) -> None:
    """Compiles what every update repeats, for each size of batch and crop as it comes."""
    model.update = torch.compile(model.update, dynamic=False)  # type: ignore[method-assign]


def renew(state: TrainingState, batches: Sequence[AugmentedBatch], *, device: torch.device) -> None:
    """Begins the context encoder anew; the average and the optimiser forget what was before."""
    pictures = torch.cat([batch.first for batch in batches]).to(device)
    renew_context(state.model, to_model_range(pictures))
    state.average.load_state_dict(state.model.state_dict())
    state.optimiser.state.clear()


def set_norms(model: RAFT, *, frozen: bool) -> None:
    """Lets batch normalisation learn, or makes it use the statistics that it has."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.train(not frozen)


def freeze(model: RAFT, names: Sequence[str]) -> None:
    """Makes training leave these parts of the model as they are, and no others."""
    for name, weight in model.named_parameters():
        weight.requires_grad_(not name.startswith(tuple(f"{part}." for part in names)))
        if not weight.requires_grad:
            weight.grad = None


def learn(
    model: RAFT, batch: AugmentedBatch, stage: Stage, *, device: torch.device, precision: torch.dtype
) -> Float[Tensor, " 2"]:
    """Adds one part's share to the gradients; returns its share of the step's loss and of the last flow's EPE."""
    first, second = to_model_range(batch.first.to(device)), to_model_range(batch.second.to(device))
    target = batch.flow.to(device)
    valid = (batch.visible & batch.inside if stage.visible_only else torch.ones_like(batch.visible)).to(device)
    valid = valid & target.isfinite().all(dim=1)  # datasets do not know the flow everywhere
    with autocast(device, precision):
        begun = model.begin(first, second)
        steps = model.updates(begun.correlation, begun.context)
        flows = [step.upsampled() for step in islice(steps, stage.iterations)]
        shown = valid & batch.visible.to(device)
        features = begun.first_features, begun.second_features
        matching = matching_loss(*features, target, shown) if stage.matching else 0.0
    loss = sequence_loss(flows, target, valid, gamma=stage.gamma, max_flow=stage.max_flow, power=stage.power)
    loss = (loss + stage.matching * matching) / stage.parts
    loss.backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        distance = torch.linalg.vector_norm(flows[-1].float() - target, dim=1)
        error = torch.where(valid, distance, 0.0).sum() / valid.sum() / stage.parts
    return torch.stack([loss.detach(), error])


@torch.no_grad()
def follow(average: RAFT, model: RAFT, *, decay: float) -> None:
    """Moves the average a little towards the model; running statistics are copied."""
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - decay)
    for copied, statistic in zip(average.buffers(), model.buffers(), strict=True):
        copied.copy_(statistic)


def validate(model: RAFT, items: Iterable[FlowItem], *, device: torch.device, iterations: int = 12) -> dict[str, float]:
    """Mean endpoint error of every group of items, and of all (`mean`), in float32."""
    estimator = FlowEstimator(model, device=device, settings=Settings(iterations=iterations))
    report = evaluate(items, estimator.flow_between)
    return {**{name: scores.epe for name, scores in report.groups.items()}, "mean": report.mean.epe}
