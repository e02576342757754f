"""Runs RAFT again with a part of it switched off, to show what the part does: `--without` and `--radius`."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from flowcli.errors import UsageError
from flowcli.inspection.loss import mean_error
from flowcli.inspection.observation import array
from flowcli.model.device import autocast
from raft_core.convolution import direct_convolutions
from raft_core.grid import pixel_grid
from raft_core.raft import Context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Float
    from numpy.typing import NDArray
    from torch import Tensor

    from flowcli.inspection.inputs import GroundTruth
    from flowcli.inspection.observation import Observation
    from flowcli.model.estimator import FlowEstimator
    from raft_core.config import RaftConfig
    from raft_core.raft import RAFT


@dataclass(frozen=True)
class Switches:
    """What a run goes without: parts named context, hidden, motion or levelN, and offsets of lookups beyond `radius`.

    `hidden` is the initial hidden state; what is switched off is 0.
    """

    parts: tuple[str, ...] = ()
    radius: int | None = None

    @property
    def title(self) -> str:
        """The run in words."""
        if self.radius is not None:
            return f"radius {self.radius}"
        names = {"hidden": "initial hidden state", "motion": "motion features"}
        return "without " + " and ".join(names.get(part, part.replace("level", "level ")) for part in self.parts)


@dataclass(frozen=True, eq=False)
class Ablation:
    """A run with parts switched off: its last flow in px, and per update, in px, its mean distance from the full run's
    flow and its mean end-point error, if ground truth is known.
    """

    switches: Switches
    flow: Float[NDArray[np.float32], "height width 2"]
    changes: Float[NDArray[np.float64], " updates"]
    errors: Float[NDArray[np.float64], " updates"] | None


def parse_switches(without: str, radius: int | None, config: RaftConfig) -> list[Switches]:
    """The runs of `--without`, separated by commas (+ joins parts of one run), and that of `--radius`.

    Raises UsageError for a part that the model does not have, and for a radius that is not smaller than the model's.
    """
    known = ["context", "hidden", "motion", *(f"level{level}" for level in range(config.correlation_levels))]
    runs = []
    for text in filter(None, (part.strip() for part in without.split(","))):
        parts = tuple(dict.fromkeys(part.strip() for part in text.split("+")))
        wrong = [part for part in parts if part not in known]
        if wrong:
            raise UsageError(
                f"--without {without}: {wrong[0] or 'nothing'} is not a part that can be switched off",
                hint=f"choose among {', '.join(known)}; a comma separates runs, + joins parts of one run",
            )
        runs.append(Switches(parts))
    if radius is not None:
        if radius >= config.lookup_radius:
            raise UsageError(
                f"--radius {radius} is not smaller than {config.lookup_radius}, the radius of these weights",
                hint="a lookup can be cut down, but its weights know no further offsets",
            )
        runs.append(Switches(radius=radius))
    return list(dict.fromkeys(runs))


def ablate(
    observation: Observation, estimator: FlowEstimator, switches: Switches, ground_truth: GroundTruth | None
) -> Ablation:
    """Runs as many updates as `observation` has, from the same start, without the parts."""
    model, padding = observation.model, observation.grid.padding
    changes, errors = [], []
    with torch.inference_mode(), direct_convolutions(), autocast(estimator.device, estimator.settings.precision):
        hidden, context, centers = (
            torch.from_numpy(values)[None].to(estimator.device)
            for values in (observation.hidden, observation.context, observation.updates[0].centers)
        )
        # In half precision the recurrent unit takes its state in that precision only.
        hidden, context = (values.to(observation.last.hidden.dtype) for values in (hidden, context))
        start = Context(hidden * ("hidden" not in switches.parts), context * ("context" not in switches.parts))
        initial = centers - pixel_grid(*centers.shape[-2:], like=centers)
        with switched_off(model, switches):
            updates = model.updates(observation.correlation, start, initial_flow=initial)
            for full, update in zip(observation.updates, updates, strict=False):
                flow = array(padding.crop(update.upsampled())[0].permute(1, 2, 0))
                changes.append(float(np.linalg.norm(flow - full.flow, axis=2).mean()))
                if ground_truth is not None:
                    errors.append(mean_error(flow, ground_truth))
    return Ablation(switches, flow, np.array(changes), np.array(errors) if errors else None)


@contextmanager
def switched_off(model: RAFT, switches: Switches) -> Iterator[None]:
    """Zeroes the inputs of the motion encoder, or its output, that a run goes without."""
    encoder = model.update_block.motion_encoder
    kept = kept_offsets(model.config, switches)

    def cut_lookups(_: object, inputs: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        features, flow = inputs
        return features * kept.to(features)[:, None, None], flow

    def silence(_: object, __: object, output: Tensor) -> Tensor:
        return torch.zeros_like(output)

    hooks = [encoder.register_forward_pre_hook(cut_lookups)]
    if "motion" in switches.parts:
        hooks.append(encoder.register_forward_hook(silence))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def kept_offsets(config: RaftConfig, switches: Switches) -> Float[Tensor, " channels"]:
    """1 for every channel of the lookup that is kept, else 0."""
    radius = config.lookup_radius
    steps = torch.arange(-radius, radius + 1).abs()
    near = torch.maximum(steps[:, None], steps) <= (radius if switches.radius is None else switches.radius)
    levels = [f"level{level}" not in switches.parts for level in range(config.correlation_levels)]
    return (torch.tensor(levels)[:, None, None] & near).flatten().float()
