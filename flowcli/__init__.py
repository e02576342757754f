"""Optical flow of videos with RAFT, and a look at what RAFT saw: `estimate`, `video` and `load`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcli.version import __version__

if TYPE_CHECKING:
    from flowcli.api import estimate, load, video

__all__ = ["__version__", "estimate", "load", "video"]


def __getattr__(name: str) -> object:
    """Imports torch only once flow is asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - flowcli --version needs none of it

    return getattr(import_module("flowcli.api"), name)


def __dir__() -> list[str]:
    return __all__
