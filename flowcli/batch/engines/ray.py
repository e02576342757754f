"""The Ray engine: every worker is a Ray actor that holds the model on a node of the cluster.

All nodes need flowcli and the same paths to the clips, the outputs, and weights given as a file.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import ray
import torch
from ray.exceptions import OutOfMemoryError, RayActorError, RayTaskError

from flowcli.batch.engines.scheduler import spread
from flowcli.batch.work import compute, prepare, same_weights
from flowcli.errors import DeviceError
from flowcli.model.weights import load

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Generator, Iterator
    from concurrent.futures import Future

    from flowcli.batch.engines import EngineOptions
    from flowcli.batch.record import Outcome
    from flowcli.batch.work import Chunked, Work
    from flowcli.model.weights import Weights
    from raft_core.raft import RAFT

TRIES = 3
"""The number of attempts at a clip whose worker is lost each time."""
OBJECT_STORE_BYTES = 100_000_000
"""The size of the object store of a cluster started here: works and outcomes are small."""


@dataclass(frozen=True)
class WorkerResources:
    """The number of workers, and the CPUs and GPUs of each."""

    workers: int
    cpus: float
    gpus: int


def compute_on_ray(
    works: deque[Work], engine: EngineOptions, *, weights: Weights, device: str
) -> Generator[tuple[Work, Outcome | Chunked]]:
    """Connects to the cluster at `engine.address`, or starts a local one, and distributes the works to its nodes.

    Raises DeviceError if there is no such cluster, or none with the requested device.
    """
    # Where a node has no such file, it looks for weights of the same name.
    weights = replace(weights, path=weights.path.absolute())
    with connected(engine.address):
        each = resources_each(ray.nodes(), device=device, workers=engine.workers)
        try:
            actors = [Actor(weights, each) for _ in range(each.workers)]
            yield from spread(works, actors, lost=cause_of_loss, tries=TRIES)
        except RayTaskError as error:
            raise error.cause from error


@contextmanager
def connected(address: str) -> Iterator[None]:
    """A connection to the cluster at `auto` (that of this machine), `local` (a new one) or HOST:PORT.

    Raises DeviceError if there is none.
    """
    # Ray sends no usage statistics.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    own = {"object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False} if address == "local" else {}
    on_main_thread = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", **own)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise DeviceError(
            f"there is no Ray cluster at {address}", hint="ray start --head starts one; --address local needs none"
        ) from error
    try:
        if on_main_thread:
            # Ray's handler of TERM would end this process before the outcomes are written.
            signal.signal(signal.SIGTERM, before)
        yield
    finally:
        ray.shutdown()


def resources_each(nodes: list[dict[str, Any]], *, device: str, workers: int | None) -> WorkerResources:
    """The resources of `workers` workers; by default one per GPU, or one per node in a cluster without GPUs.

    Raises DeviceError for a cluster without CPUs, and if `device` is cuda, without GPUs.
    """
    resources = [node["Resources"] for node in nodes if node["Alive"]]
    gpus = 0 if device == "cpu" else int(sum(node.get("GPU", 0) for node in resources))
    if device.startswith("cuda") and not gpus:
        raise DeviceError("the cluster has no GPU", hint="use --device auto or cpu")
    cpus = [node["CPU"] for node in resources if node.get("CPU")]
    if not cpus:
        raise DeviceError("the cluster has no CPU to compute with", hint="see `ray status`")
    count = workers or gpus or len(cpus)
    # No worker needs more CPUs than the smallest node has, so that it fits on every node.
    return WorkerResources(count, max(1, min(*cpus, sum(cpus) // count)), gpus=1 if gpus else 0)


def cause_of_loss(error: BaseException) -> str | None:
    """The cause of the loss of a worker, in words; None for an error that is not one."""
    if isinstance(error, OutOfMemoryError):
        return "its workers ran out of memory"
    if isinstance(error, RayActorError):
        return "its workers were lost: they crashed, or their nodes went away"
    return None


class Holder:
    """The state of an actor on its node: the model, once `start` has loaded it."""

    _model: RAFT

    def __init__(self, threads: int) -> None:
        torch.set_num_threads(threads)

    def start(self, weights: Weights) -> None:
        """Loads the model; raises WeightsError if this node does not have these weights."""
        # Not in the constructor, whose errors Ray takes for the loss of the actor.
        self._model = load(same_weights(weights))

    def compute(self, work: Work) -> Outcome | Chunked:
        """Computes one clip."""
        return compute(prepare(work), self._model)


class Actor:
    """A worker that is a Holder on a node that Ray chooses."""

    def __init__(self, weights: Weights, resources: WorkerResources) -> None:
        self._weights = weights
        self._resources = resources
        # Not restarted by Ray: the scheduler replaces a lost worker and retries its work.
        kind = ray.remote(num_cpus=resources.cpus, num_gpus=resources.gpus, max_restarts=0)(Holder)
        self._actor = kind.remote(int(resources.cpus))

    def start(self) -> Future[None]:
        """Waits for a node; the future is done when the model is loaded."""
        started: Future[None] = self._actor.start.remote(self._weights).future()
        return started

    def submit(self, work: Work) -> Future[Outcome | Chunked]:
        """Computes one clip."""
        # The working directory of a node is another one.
        outcome: Future[Outcome | Chunked] = self._actor.compute.remote(work.absolute()).future()
        return outcome

    def replacement(self) -> Actor:
        """A new actor with the same resources, on any node."""
        return Actor(self._weights, self._resources)

    def stop(self) -> None:
        """Kills the actor; its clip can be resumed from the last closed segment."""
        ray.kill(self._actor)
