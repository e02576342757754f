"""Untrained weights, for tests of how a command ends."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    from raft_core import checkpoint
    from raft_core.raft import RAFT

    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        checkpoint.save(RAFT(), path)
    return path
