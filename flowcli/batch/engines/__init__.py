"""Who computes the clips of a batch: this process, processes of this machine, or a Ray cluster.

Every engine takes works, to which more may be added while they are done, and gives each back with its outcome.
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


NAMES = ("local", "ray")


@dataclass(frozen=True)
class EngineOptions:
    """Who computes: `workers` processes, or one for each GPU; `isolate` keeps clips out of this process.

    `address` is that of a Ray cluster: auto, local or HOST:PORT.
    """

    name: str = "local"
    workers: int | None = None
    isolate: bool = False
    address: str = "auto"

    def check(self) -> None:
        """Raises UsageError for an engine that is not there."""
        if self.name not in NAMES:
            raise UsageError(f"--engine {self.name} is not known", hint=f"use {' or '.join(NAMES)}")
        if self.name == "ray" and find_spec("ray") is None:
            raise UsageError("--engine ray needs Ray", hint="pip install 'flowcli-raft[ray]'")


def computed(
    works: deque[Work], engine: EngineOptions, *, weights: str, device: str
) -> Generator[tuple[Work, Outcome | Chunked]]:
    """Every work with its outcome, as they are done."""
    if engine.name == "ray":
        from flowcli.batch.engines.ray import compute_on_ray  # noqa: PLC0415 - an extra

        return compute_on_ray(works, engine, weights=weights, device=device)
    gpus = gpus_for(device)
    if engine.isolate or (engine.workers or gpus) > 1:
        from flowcli.batch.engines.processes import compute_in_processes  # noqa: PLC0415 - seldom asked for

        return compute_in_processes(works, weights=weights, workers=engine.workers or max(1, gpus), gpus=gpus)
    from flowcli.batch.engines.local import compute_here  # noqa: PLC0415

    return compute_here(works, weights=weights)


def gpus_for(device: str) -> int:
    """How many GPUs there are to share clips out to; none where the CPU or one device was asked for."""
    shared = device in {"auto", "cuda"} and choose_device(device).type == "cuda"
    return torch.cuda.device_count() if shared else 0
