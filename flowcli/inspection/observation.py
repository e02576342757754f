"""Runs RAFT on one pair and keeps its intermediate values, taken from `RAFT.updates`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from flowcli.inspection.grid import Grid
from flowcli.inspection.proposals import strongest_offsets
from flowcli.model.device import autocast
from raft_core.convolution import direct_convolutions
from raft_core.precision import wide
from raft_core.raft import last
from raft_core.upsample import convex_weights, upsample_bilinear
from raft_core.warm_start import carry_forward

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float
    from numpy.typing import NDArray
    from torch import Tensor

    from flowcli.inspection.inputs import Subject
    from flowcli.model.estimator import FlowEstimator
    from raft_core.config import RaftConfig
    from raft_core.correlation import Correlation
    from raft_core.raft import RAFT, Update


@dataclass(frozen=True, eq=False)
class ObservedUpdate:
    """The values of one update on the padded 1/8 grid, vectors in cells (x, y).

    `centers` are the points of the lookup, `proposals` its strongest offsets (see `strongest_offsets`).
    `coarse_flow` is the flow after the update, `flow` the same upsampled to the source's size, in px.
    """

    centers: Float[NDArray[np.float32], "2 rows columns"]
    proposals: Float[NDArray[np.float32], "levels 2 rows columns"]
    motion_features: Float[NDArray[np.float32], "motion rows columns"]
    hidden: Float[NDArray[np.float32], "hidden rows columns"]
    delta: Float[NDArray[np.float32], "2 rows columns"]
    coarse_flow: Float[NDArray[np.float32], "2 rows columns"]
    flow: Float[NDArray[np.float32], "height width 2"]


@dataclass(frozen=True, eq=False)
class Observation:
    """One run of `model`: `hidden` is the state before the first update, `last` the last update as tensors.

    `second_input` is the second frame as the model's input. `upsampling_weights` are those of the last update for the
    3 x 3 cells around every pixel's own, as of `convex_weights`; None if upsampling is bilinear. `warm` states whether
    the run used a warm start. `refined` is the flow after refinement in px, or None for weights whose flow
    `flowcli pair` does not refine.
    """

    model: RAFT
    grid: Grid
    second_input: Float[Tensor, "1 3 height width"]
    first_features: Float[NDArray[np.float32], "channels rows columns"]
    second_features: Float[NDArray[np.float32], "channels rows columns"]
    hidden: Float[NDArray[np.float32], "hidden rows columns"]
    context: Float[NDArray[np.float32], "context rows columns"]
    correlation: Correlation
    on_demand: bool
    warm: bool
    updates: tuple[ObservedUpdate, ...]
    last: Update
    upsampling_weights: Float[Tensor, "1 9 8 8 rows columns"] | None
    refined: Float[NDArray[np.float32], "height width 2"] | None

    @property
    def config(self) -> RaftConfig:
        """The architecture of the model."""
        return self.model.config

    @property
    def flow(self) -> Float[NDArray[np.float32], "height width 2"]:
        """The flow after the last update, in source px."""
        return self.updates[-1].flow

    @property
    def bilinear_flow(self) -> Float[NDArray[np.float32], "height width 2"]:
        """The flow after the last update, upsampled bilinearly, in source px."""
        with torch.inference_mode():
            return array(self.grid.padding.crop(upsample_bilinear(self.last.flow))[0].permute(1, 2, 0))


def observe(estimator: FlowEstimator, subject: Subject, *, warm_start: bool = False) -> Observation:
    """Runs the estimator's number of iterations on the subject and keeps all intermediate values.

    `warm_start` uses the flow from the subject's earlier frame, if it has one. Updates do not stop on convergence.
    """
    grid = Grid(*subject.first.shape[:2])
    on_demand = estimator.plan(grid.height, grid.width).on_demand
    model, settings, look = estimator.model, estimator.settings, estimator.looks.full
    with torch.inference_mode(), direct_convolutions(), autocast(estimator.device, settings.precision):
        first, second = (look.upload(image) for image in (subject.first, subject.second))
        started = model.begin(first, second, on_demand=on_demand)
        initial = None
        if warm_start and subject.earlier is not None:
            earlier = look.upload(subject.earlier)
            before = model.correlate(model.encode(earlier), started.first_features, on_demand=on_demand)
            initial = carry_forward(last(model.updates(before, model.read_context(earlier)), settings.iterations).flow)
        updates = []
        for update in model.updates(started.correlation, started.context, initial_flow=initial):
            updates.append(observed(update, grid, model.config))
            if len(updates) == settings.iterations:
                break
        # The hidden state may be half precision, which the mask head takes under autocast only.
        weights = None if update.mask_head is None else convex_weights(wide(update.mask_head(update.hidden)))
        refined = None
        if settings.refinement is not None:
            one, other = (look.grey(image) for image in (subject.first, subject.second))
            flow = settings.refinement.apply(one, other, grid.padding.crop(update.upsampled()))
            refined = array(flow[0].permute(1, 2, 0))
    return Observation(
        model=model,
        grid=grid,
        second_input=second,
        first_features=array(started.first_features[0]),
        second_features=array(started.second_features[0]),
        hidden=array(started.context.hidden[0]),
        context=array(started.context.context[0]),
        correlation=started.correlation,
        on_demand=on_demand,
        warm=initial is not None,
        updates=tuple(updates),
        last=update,
        upsampling_weights=weights,
        refined=refined,
    )


def observed(update: Update, grid: Grid, config: RaftConfig) -> ObservedUpdate:
    """An update as arrays."""
    return ObservedUpdate(
        centers=array(update.centers[0]),
        proposals=array(strongest_offsets(update.correlation_features[0], update.centers[0], config)),
        motion_features=array(update.motion_features[0]),
        hidden=array(update.hidden[0]),
        delta=array(update.delta[0]),
        coarse_flow=array(update.flow[0]),
        flow=array(grid.padding.crop(update.upsampled())[0].permute(1, 2, 0)),
    )


def array(tensor: Tensor) -> NDArray[np.float32]:
    """A tensor as a float32 array."""
    return tensor.float().contiguous().cpu().numpy()
