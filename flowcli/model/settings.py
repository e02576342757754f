"""The settings of the estimator."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch

from flowcli.model.refinement import Refinement
from flowcli.model.resize import Resizing
from raft_core.consistency import ABSOLUTE, RELATIVE
from raft_core.images import Placement

if TYPE_CHECKING:
    from flowcli.flow.estimate import Direction
    from flowcli.model.first_look import FirstLook


@dataclass(frozen=True)
class Occlusion:
    """The thresholds of the forward-backward check: see `raft_core.consistency`."""

    relative: float = RELATIVE
    absolute: float = ABSOLUTE


@dataclass(frozen=True)
class Settings:
    """The settings of the estimator.

    `iterations` is the number of updates, or, with a `tolerance` in pixels, their limit for pairs that do not converge.
    `batch` counts pairs per model call, and `on_demand` says how correlation is computed; None leaves either to the
    plan, which `memory` limits, in bytes. `threads_each` is the number of threads that compute one pair on a CPU; None
    divides them among the pairs that are computed at once. `warm_start` starts a pair from the previous pair's flow.
    `refinement` follows at `refined_size`; None leaves the flow as RAFT computes it. With a `first_look`, pairs for
    which half the size is enough keep its flow. `second_look` says whether enlarged frames are looked at too.
    `placement` says where frames are padded.
    """

    iterations: int = 12
    tolerance: float | None = None
    direction: Direction = "forward"
    warm_start: bool = False
    batch: int | None = 1
    on_demand: bool | None = None
    memory: int | None = None
    threads_each: int | None = None
    precision: torch.dtype = torch.float32
    resizing: Resizing = field(default_factory=Resizing)
    refinement: Refinement | None = None
    first_look: FirstLook | None = None
    second_look: bool = False
    occlusion: Occlusion = field(default_factory=Occlusion)
    placement: Placement = "centre"

    def of_first_look(self) -> Settings:
        """The settings of the first look, at half the size."""
        small = None if self.first_look is None else self.first_look.small
        return replace(self, resizing=self.resizing.halved(), refinement=small, first_look=None, second_look=False)

    def refined_size(self, height: int, width: int) -> tuple[int, int]:
        """The height and width at which the flow of frames of this size is refined."""
        small = self.refinement is not None and self.refinement.at_computed_size
        return self.resizing.size(height, width) if small else self.resizing.larger_size(height, width)
