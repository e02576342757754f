"""What RAFT learns from a batch: the loss of its updates, and its gradients."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import torch

from flowcli.model.device import autocast
from flowcli.training.cuda_graphs import CudaGraphStep
from flowcli.training.openings import COLD, Opening, begin_updates
from raft_core.images import to_model_range
from raft_core.loss import matching_loss, sequence_loss

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float
    from torch import Tensor

    from flowcli.training.augmentation.generated import AugmentedBatch
    from flowcli.training.recipes import Stage
    from raft_core.raft import RAFT

    Batch = TypeVar("Batch")
    Learning = Callable[[Batch, Stage, Opening], Tensor]


def learning_of(model: RAFT, *, device: torch.device, precision: torch.dtype) -> Learning[AugmentedBatch]:
    """`learn` for a model, on a GPU as CUDA graphs."""
    learning = partial(learn, model, device=device, precision=precision)
    return CudaGraphStep(learning, model, device=device) if device.type == "cuda" else learning


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


def compile_update(model: RAFT) -> None:
    """Replaces the model's update by a compiled one, compiled at its first call with each size of batch and crop."""
    model.update = torch.compile(model.update, dynamic=False)  # type: ignore[method-assign]
