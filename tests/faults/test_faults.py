"""Every fault of every section ends as it must."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import checkpoints, notes, pictures, surroundings, system, videos  # noqa: F401 - they register their faults
from tests.faults.registry import FAULTS, Fault
from tests.faults.running import meet


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    from raft_core import checkpoint
    from raft_core.raft import RAFT

    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    torch.manual_seed(0)
    checkpoint.save(RAFT(), path)
    return path


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{fault.section} {fault.name}" for fault in FAULTS])
def test_a_fault_ends_as_it_must(tmp_path: Path, untrained: Path, fault: Fault) -> None:
    outcome = meet(fault, tmp_path, untrained)
    assert not outcome.wrong, outcome.stderr
