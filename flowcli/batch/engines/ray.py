"""A Ray cluster computes: every worker is an actor that holds the model, somewhere among the nodes.

All nodes need flowcli, and see the clips, the outputs and the weights under the same paths.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
import torch
from ray.exceptions import OutOfMemoryError, RayActorError, RayTaskError

from flowcli.batch.engines.scheduler import spread
from flowcli.batch.work import compute, prepare
from flowcli.errors import DeviceError
from flowcli.model.weights import find, load
from flowcli.system.lock import wait_until_free

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Generator, Iterator
    from concurrent.futures import Future

    from flowcli.batch.engines import EngineOptions
    from flowcli.batch.record import Outcome
    from flowcli.batch.work import Chunked, Work

TRIES = 3
"""How often a clip is begun whose worker is lost each time."""
PATIENCE = 60.0
"""Seconds that a clip may be held by a worker that was lost but has not noticed it yet."""
OBJECT_STORE_BYTES = 100_000_000
"""What a cluster of its own sets apart for objects: works and outcomes are small."""


@dataclass(frozen=True)
class WorkerResources:
    """What each of so many workers gets of a cluster."""

    workers: int
    cpus: float
    gpus: int


def compute_on_ray(
    works: deque[Work], engine: EngineOptions, *, weights: str, device: str
) -> Generator[tuple[Work, Outcome | Chunked]]:
    """Connects to the cluster at `engine.address`, or starts one here, and shares the works out to its nodes."""
    find(weights)
    # By name each node finds its own file, by path the same one.
    place = str(Path(weights).absolute()) if Path(weights).is_file() else weights
    with connected(engine.address):
        each = resources_each(ray.nodes(), device=device, workers=engine.workers)
        try:
            yield from spread(works, [Actor(place, each) for _ in range(each.workers)], lost=cause_of_loss, tries=TRIES)
        except RayTaskError as error:
            raise error.cause from error


@contextmanager
def connected(address: str) -> Iterator[None]:
    """A connection to the cluster at `auto` (the one this machine is part of), `local` (a new one) or HOST:PORT."""
    # Nothing is to leave this machine.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    own = {"object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False} if address == "local" else {}
    listens = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", **own)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise DeviceError(
            f"there is no Ray cluster at {address}", hint="ray start --head starts one; --address local needs none"
        ) from error
    try:
        if listens:
            # Ray's own way with TERM would end this process before anything is noted.
            signal.signal(signal.SIGTERM, before)
        yield
    finally:
        ray.shutdown()


def resources_each(nodes: list[dict[str, Any]], *, device: str, workers: int | None) -> WorkerResources:
    """One worker for each GPU of the nodes, or, without any, for each node, with all its CPUs; or as many as asked."""
    resources = [node["Resources"] for node in nodes if node["Alive"]]
    gpus = 0 if device == "cpu" else int(sum(node.get("GPU", 0) for node in resources))
    if device.startswith("cuda") and not gpus:
        raise DeviceError("the cluster has no GPU", hint="use --device auto or cpu")
    cpus = [node["CPU"] for node in resources if node.get("CPU")]
    if not cpus:
        raise DeviceError("the cluster has no CPU to compute with", hint="see `ray status`")
    count = workers or gpus or len(cpus)
    # No worker gets more than the smallest node has, so that each can be anywhere.
    return WorkerResources(count, max(1, min(*cpus, sum(cpus) // count)), gpus=1 if gpus else 0)


def cause_of_loss(error: BaseException) -> str | None:
    """Why a worker is gone, as far as Ray knows."""
    if isinstance(error, OutOfMemoryError):
        return "its workers ran out of memory"
    if isinstance(error, RayActorError):
        return "its workers were lost: they crashed, or their nodes went away"
    return None


class Holder:
    """What lives on a node: the model, and what can be done with it."""

    def __init__(self, weights: str, threads: int) -> None:
        self._weights = weights
        torch.set_num_threads(threads)
        self._model = load(find(weights))

    def begin(self) -> None:
        """Returns once the model is loaded."""

    def compute(self, work: Work) -> Outcome | Chunked:
        """Computes one clip."""
        prepared = prepare(replace(work, request=replace(work.request, weights=self._weights)))
        if prepared.task and not work.chunk:
            wait_until_free(prepared.task.journal, seconds=PATIENCE)
        return compute(prepared, self._model)


class Actor:
    """A worker: a Holder that Ray has found a node for."""

    def __init__(self, weights: str, share: WorkerResources) -> None:
        self._weights = weights
        self._share = share
        # Its works are given to others when it is lost; a copy of it could not be placed where its node was the last.
        kind = ray.remote(num_cpus=share.cpus, num_gpus=share.gpus, max_restarts=0)(Holder)
        self._actor = kind.remote(weights, int(share.cpus))

    def start(self) -> Future[None]:
        """Waits for a node and loads the model."""
        begun: Future[None] = self._actor.begin.remote().future()
        return begun

    def submit(self, work: Work) -> Future[Outcome | Chunked]:
        """Computes one clip."""
        # A node knows nothing of the folder that flowcli was called in.
        clip = replace(work.clip, path=work.clip.path.absolute())
        there = replace(work, clip=clip, folder=work.folder.absolute())
        outcome: Future[Outcome | Chunked] = self._actor.compute.remote(there).future()
        return outcome

    def renewed(self) -> Actor:
        """Another one, wherever there is room."""
        return Actor(self._weights, self._share)

    def stop(self) -> None:
        """Ends it at once; a clip that it computes can be gone on with from its last closed segment."""
        ray.kill(self._actor)
