"""A training step as CUDA graphs."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import torch

from flowcli.training.augmentation.generated import AugmentedBatch
from flowcli.training.openings import COLD, Opening

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from flowcli.training.learning import Learning
    from flowcli.training.recipes import Stage
    from raft_core.raft import RAFT


class CudaGraphStep:
    """What `learn` does with `model`, as CUDA graphs: captured for each stage and opening at its first batch.

    Launching the thousands of small kernels of a step from Python takes longer than the GPU takes to run them.
    """

    def __init__(self, learn: Learning[AugmentedBatch], model: RAFT, *, device: torch.device) -> None:
        self.learn = learn
        self.model = model
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
    step: Learning[AugmentedBatch],
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
