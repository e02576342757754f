"""Optical flow of images and videos with RAFT: `estimate`, `video` and `load`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcli.version import __version__

if TYPE_CHECKING:
    from flowcli.api import estimate, load, video

__all__ = ["__version__", "estimate", "load", "video"]


def __getattr__(name: str) -> object:
    """Imports torch only when one of the functions is first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - flowcli --version must not import torch

    return getattr(import_module("flowcli.api"), name)


def __dir__() -> list[str]:
    return __all__
