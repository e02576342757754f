"""What a training run was asked for, and what it works with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch

    from flowcli.training.distributed import Group
    from flowcli.training.loop import TrainingState
    from flowcli.training.recipes import Recipe
    from flowcli.training.run_folder import RunFolder


@dataclass(frozen=True)
class TrainingOptions:
    """What `flowcli train` was asked for."""

    run: Path
    recipe: str
    textures: Path | None
    validation: Path | None
    weights: str | None
    device: str
    precision: str
    threads: int
    minutes_between_validations: float
    minutes_between_saves: float | None = None
    data: Mapping[str, Path] = field(default_factory=dict)
    accumulate: int = 1
    workers: int = 4
    tensorboard: bool = False
    minutes: float | None = None
    compiled: bool = False
    renderers: int | None = None


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """A run under way."""

    options: TrainingOptions
    recipe: Recipe
    device: torch.device
    folder: RunFolder
    state: TrainingState
    group: Group
