"""Training in two processes computes the same as training in one."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch

from flowcli.training.distributed import Group

ROOT = Path(__file__).parents[2]

# The script of every process: four steps of two parts each; prints the losses as JSON.
TRAIN = """
import json, torch
from flowcli.training.augmentation.generated import AugmentedBatch
from flowcli.training.distributed import Group
from flowcli.training.recipes import Recipe, Stage
from flowcli.training.learning import learning_of
from flowcli.training.loop import train_steps
from flowcli.training.state import TrainingState
from raft_core.raft import RAFT

torch.set_num_threads(1)
stage = Stage("tiny", 4, 1, (128, 128), 2, (4e-4, 4e-4), parts=2)

def draw(number, stage):
    generator = torch.Generator().manual_seed(number)
    pictures = torch.randint(256, (2, 1, 3, 128, 128), dtype=torch.uint8, generator=generator)
    everywhere = torch.ones(1, 128, 128, dtype=torch.bool)
    flow = torch.randn(1, 2, 128, 128, generator=generator)
    return AugmentedBatch(pictures[0], pictures[1], flow, everywhere, everywhere)

torch.manual_seed(0)
cpu = torch.device("cpu")
with Group.from_environment() as group:
    state = TrainingState.begin(RAFT(), device=cpu)
    learning = learning_of(state.model, device=cpu, precision=torch.float32)
    steps = train_steps(state, Recipe(stages=(stage,)), draw, learning, device=cpu, group=group)
    losses = [(step.loss, step.epe) for step in steps]
    print(json.dumps([group.largest(group.rank + 5), losses]))
"""


def start(environment: dict[str, str], text: str = TRAIN) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", text], env=os.environ | environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def rendezvous_of_two() -> dict[str, str]:
    """The environment variables by which torchrun lets two processes find each other."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}


def run_here(text: str, capsys: pytest.CaptureFixture[str]) -> list[Any]:
    """What the script prints, run in this process."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng():
        exec(text, {})
    torch.set_num_threads(threads)
    result: list[Any] = json.loads(capsys.readouterr().out)
    return result


def test_two_processes_compute_the_steps_of_one_with_twice_the_parts(capsys: pytest.CaptureFixture[str]) -> None:
    rendezvous = rendezvous_of_two()
    processes = [start({**rendezvous, "RANK": str(rank)}) for rank in (0, 1)]
    _, alone = run_here(TRAIN, capsys)
    (largest, first), (_, second) = (json.loads(process.communicate(timeout=240)[0]) for process in processes)
    assert largest == 6
    assert first == second
    assert len(first) == 4
    for together, expected in zip(first, alone, strict=True):
        assert together == pytest.approx(expected, rel=1e-5)


def test_processes_share_the_running_statistics_of_their_pairs() -> None:
    """A later stage that freezes them must compute with one model, and so must a run that is resumed there."""
    text = f"from raft_core.config import LARGE\n{TRAIN}".replace("RAFT()", "RAFT(LARGE)")
    text = text.replace('"tiny", 4,', '"tiny", 1,').replace(
        "group.largest(group.rank + 5)", "[buffer.tolist() for buffer in state.model.buffers()]"
    )
    rendezvous = rendezvous_of_two()
    processes = [start({**rendezvous, "RANK": str(rank)}, text) for rank in (0, 1)]
    (first, _), (second, _) = (json.loads(process.communicate(timeout=240)[0]) for process in processes)
    assert first == second


def test_every_part_belongs_to_exactly_one_process() -> None:
    assert [list(Group(rank, 3).shard(6)) for rank in range(3)] == [[0, 3], [1, 4], [2, 5]]
    assert list(Group().shard(4)) == [0, 1, 2, 3]


def test_each_process_of_a_machine_computes_on_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[object] = []
    for name, value in {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "set_device", steps.append)
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda name, **_: steps.append(name))
    Group.from_environment().__enter__()
    assert steps == [1, "cpu:gloo,cuda:nccl"]


def test_processes_wait_longer_than_any_validation_of_the_leading_one(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[timedelta] = []
    monkeypatch.setattr(
        torch.distributed, "init_process_group", lambda *_, timeout=timedelta(minutes=30): waits.append(timeout)
    )
    Group(1, 2).__enter__()
    assert waits[0] > timedelta(days=1)


@pytest.mark.slow
def test_two_processes_with_single_pairs_compute_the_steps_of_one_with_batches_of_two(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The same pairs, two at once in one process, and one in each of two processes."""
    # A lower rate: AdamW amplifies rounding errors, and batches of two are convolved in another order.
    apart = TRAIN.replace("4e-4", "2e-5")
    together = apart.replace("4, 1, (128, 128), 2, (2e-5, 2e-5), parts=2", "4, 2, (128, 128), 2, (2e-5, 2e-5)")
    together = together.replace("def draw(number, stage):", "def single(number, stage):").replace(
        "torch.manual_seed(0)",
        "def draw(number, stage):\n"
        "    halves = [vars(single(2 * number + half, stage)) for half in (0, 1)]\n"
        "    return AugmentedBatch(**{name: torch.cat([half[name] for half in halves]) for name in halves[0]})\n\n"
        "torch.manual_seed(0)",
    )
    rendezvous = rendezvous_of_two()
    processes = [start({**rendezvous, "RANK": str(rank)}, apart) for rank in (0, 1)]
    _, alone = run_here(together, capsys)
    _, shared = json.loads(processes[0].communicate(timeout=240)[0])
    processes[1].communicate(timeout=240)
    assert len(alone) == len(shared) == 4
    for found, expected in zip(shared, alone, strict=True):
        assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_processes_limited_by_time_end_at_the_same_step_with_different_clocks() -> None:
    text = TRAIN.replace("group=group)", "group=group, minutes=0.02)").replace(
        "    state = ",
        "    clock = time.perf_counter\n"
        "    loop.time = SimpleNamespace(perf_counter=lambda: clock() * (1 + group.rank))\n"
        "    state = ",
    )
    text = f"import time\nfrom types import SimpleNamespace\nfrom flowcli.training import loop\n{text}"
    rendezvous = rendezvous_of_two()
    processes = [start({**rendezvous, "RANK": str(rank)}, text) for rank in (0, 1)]
    try:
        (_, first), (_, second) = (json.loads(process.communicate(timeout=240)[0]) for process in processes)
    finally:
        for process in processes:
            process.kill()
    assert len(first) == len(second) > 1
