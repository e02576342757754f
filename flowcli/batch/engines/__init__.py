"""Engines, which compute the clips of a batch in this process, in processes of this machine, or on a Ray cluster.

An engine takes a queue of works, to which works can be added meanwhile, and yields each with its outcome.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch

from flowcli.errors import UsageError
from flowcli.model.device import choose_device

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Generator

    from flowcli.batch.record import Outcome
    from flowcli.batch.work import Chunked, Work
    from flowcli.model.weights import Weights
    from flowcli.system.console import Console


NAMES = ("local", "ray")


@dataclass(frozen=True)
class EngineOptions:
    """The engine, local or ray, and its number of `workers`; None lets the engine choose.

    `isolate` computes in another process even with one worker; `address` is that of a Ray cluster: auto, local or
    HOST:PORT.
    """

    name: str = "local"
    workers: int | None = None
    isolate: bool = False
    address: str = "auto"

    def check(self) -> None:
        """Raises UsageError for an engine that is unknown or not installed."""
        if self.name not in NAMES:
            raise UsageError(f"--engine {self.name} is not known", hint=f"use {' or '.join(NAMES)}")
        if self.name == "ray" and find_spec("ray") is None:
            raise UsageError("--engine ray needs Ray", hint="pip install ray")


def computed(
    works: deque[Work], engine: EngineOptions, *, weights: Weights, device: str, console: Console
) -> Generator[tuple[Work, Outcome | Chunked]]:
    """Computes the works; yields each with its outcome as it is done. Every worker loads `weights` once.

    `console` shows the progress within a clip if this process computes it.
    """
    if engine.name == "ray":
        from flowcli.batch.engines.ray import compute_on_ray  # noqa: PLC0415 - an extra

        return compute_on_ray(works, engine, weights=weights, device=device)
    gpus = gpus_for(device)
    if engine.isolate or (engine.workers or gpus) > 1:
        from flowcli.batch.engines.processes import compute_in_processes  # noqa: PLC0415 - rarely used

        return compute_in_processes(works, weights=weights, workers=engine.workers or max(1, gpus), gpus=gpus)
    from flowcli.batch.engines.local import compute_locally  # noqa: PLC0415

    return compute_locally(works, weights=weights, console=console)


def gpus_for(device: str) -> int:
    """The number of GPUs to distribute clips to; 0 if the device is the CPU or one given GPU."""
    shared = device in {"auto", "cuda"} and choose_device(device).type == "cuda"
    return torch.cuda.device_count() if shared else 0
