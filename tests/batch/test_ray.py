"""Batches on Ray: real clusters of several nodes on this machine, of which some are killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from flowcli.errors import DeviceError
from tests.outputs import files_below

pytest.importorskip("ray")

from flowcli.batch.engines.ray import WorkerResources, resources_each

pytestmark = pytest.mark.usefixtures("place")


def nodes(*resources: dict[str, float]) -> list[dict[str, Any]]:
    return [{"Alive": True, "Resources": each} for each in resources]


def test_workers_share_the_cluster_evenly() -> None:
    four, eight = {"CPU": 4.0}, {"CPU": 8.0}
    assert resources_each(nodes(four, eight, {}), device="auto", workers=None) == WorkerResources(2, 4, gpus=0)
    assert resources_each(nodes(four, eight), device="cpu", workers=12) == WorkerResources(12, 1, gpus=0)
    assert resources_each(nodes(four), device="auto", workers=9) == WorkerResources(9, 1, gpus=0)
    assert resources_each(nodes({**eight, "GPU": 2}, four), device="auto", workers=None) == WorkerResources(
        2, 4, gpus=1
    )
    assert resources_each(nodes({**eight, "GPU": 2}), device="cpu", workers=None) == WorkerResources(1, 8, gpus=0)
    assert resources_each([{"Alive": False, "Resources": eight}, *nodes(four)], device="auto", workers=None).cpus == 4


def test_a_cluster_that_lacks_what_is_asked_for_is_refused() -> None:
    with pytest.raises(DeviceError, match="the cluster has no GPU"):
        resources_each(nodes({"CPU": 4}), device="cuda", workers=None)
    with pytest.raises(DeviceError, match="the cluster has no CPU"):
        resources_each([], device="auto", workers=None)


@pytest.fixture
def cluster():
    """A head that computes nothing, and what starts nodes of one CPU."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": 80_000_000})
    yield made
    made.shutdown()


def batch(weights: Path, output: str, *more: str, **options: Any) -> subprocess.Popen[bytes]:
    line = [sys.executable, "-m", "flowcli", "batch", "clips", "-o", output, "--save", "flo,stats", "--iters", "12"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([*line, "--weights", str(weights), *more], env=environment, **options)


def items(output: str) -> dict[str, dict[str, Any]]:
    return {item["clip"]: item for item in json.loads(Path(output, "batch.json").read_bytes())["items"]}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("more", [(), ("--split", "7")])
def test_a_node_that_dies_loses_nothing(cluster, make_video, weights: Path, more: tuple[str, ...]) -> None:
    Path("clips").mkdir()
    for number in range(10):
        make_video(f"clips/{number}.mp4", frames=20)
    Path("clips/broken.mp4").write_text("no video\n" * 9)
    assert batch(weights, "local", *more).wait() == 4
    doomed, _ = cluster.add_node(num_cpus=1), cluster.add_node(num_cpus=1)
    running = batch(weights, "ray", *more, "--engine", "ray", "--address", cluster.address, stderr=subprocess.PIPE)
    # Until clips are done, and both nodes are in the middle of one; chunks of a clip have no holder.
    while not (list(Path("ray").glob("*_flow.json")) and (more or len(list(Path("ray").glob(".*.run/pid"))) == 2)):
        assert running.poll() is None, running.stderr and running.stderr.read()
        time.sleep(0.01)
    unfinished = 10 - len(list(Path("ray").glob("*_flow.json")))
    cluster.remove_node(doomed, allow_graceful=False)
    assert unfinished > 3
    assert running.wait() == 4, running.stderr and running.stderr.read()
    flows = [name for name in files_below("local") if name.endswith(".flo")]
    assert len(flows) == 190
    assert all(Path("ray", name).read_bytes() == Path("local", name).read_bytes() for name in [*flows, "motion.csv"])
    assert {name: item["status"] for name, item in items("ray").items()} == {
        **{f"{number}.mp4": "done" for number in range(10)},
        "broken.mp4": "failed",
    }


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_node_that_comes_later_is_used(cluster, make_video, weights: Path) -> None:
    """The batch waits while there is no node, and a lost worker's successor goes where there is room."""
    Path("clips").mkdir()
    for number in range(6):
        make_video(f"clips/{number}.mp4", frames=20)
    only = cluster.add_node(num_cpus=1)
    running = batch(weights, "ray", "--engine", "ray", "--address", cluster.address, stderr=subprocess.PIPE)
    while not list(Path("ray").glob("*_flow.json")):
        assert running.poll() is None, running.stderr and running.stderr.read()
        time.sleep(0.01)
    cluster.remove_node(only, allow_graceful=False)
    cluster.add_node(num_cpus=1)
    assert running.wait() == 0, running.stderr and running.stderr.read()
    assert len(items("ray")) == 6
