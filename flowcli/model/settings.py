"""How flow is computed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch

from flowcli.model.resize import Reduction
from raft_core.consistency import ABSOLUTE, RELATIVE
from raft_core.images import Placement

Direction = Literal["forward", "backward", "both"]


@dataclass(frozen=True)
class Occlusion:
    """When the forward-backward check calls a pixel occluded: see `raft_core.consistency`."""

    relative: float = RELATIVE
    absolute: float = ABSOLUTE


@dataclass(frozen=True)
class Settings:
    """How flow is computed.

    `iterations` updates, or, with a `tolerance` in pixels, as few as settle a pair and no more than those.
    `batch` counts pairs per model call, and `on_demand` says how correlations are made; None leaves either to the plan.
    `memory` bounds what that takes, in bytes. `warm_start` begins a pair from an earlier flow. Frames
    are padded as `placement` says.
    """

    iterations: int = 12
    tolerance: float | None = None
    direction: Direction = "forward"
    warm_start: bool = False
    batch: int | None = 1
    on_demand: bool | None = None
    memory: int | None = None
    precision: torch.dtype = torch.float32
    reduction: Reduction = field(default_factory=Reduction)
    occlusion: Occlusion = field(default_factory=Occlusion)
    placement: Placement = "centre"
