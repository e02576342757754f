"""RAFT (Teed and Deng, ECCV 2020) in PyTorch: the published model, its parts, its training loss and its checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from raft_core.checkpoint import load

__all__ = ["load"]


def __getattr__(name: str) -> object:
    """Imports torch only when a name is first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from raft_core import checkpoint  # noqa: PLC0415 - `import raft_core` must not import torch

    return getattr(checkpoint, name)


def __dir__() -> list[str]:
    return __all__
