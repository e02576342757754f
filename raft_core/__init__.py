"""RAFT (Teed and Deng, ECCV 2020) in PyTorch: the published model, its parts, its training loss and its checkpoints."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from raft_core.checkpoint import load
    from raft_core.config import LARGE, SMALL, SMALL_CONVEX
    from raft_core.raft import RAFT

__all__ = ["LARGE", "RAFT", "SMALL", "SMALL_CONVEX", "load"]

_MODULES = {"load": "checkpoint", "RAFT": "raft", "LARGE": "config", "SMALL": "config", "SMALL_CONVEX": "config"}


def __getattr__(name: str) -> object:
    """Imports torch only when a name is first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # `import raft_core` must not import torch.
    value: object = getattr(import_module(f"raft_core.{_MODULES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
