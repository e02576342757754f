"""Optical flow of images and videos with RAFT: `estimate`, `video`, `Estimator` and `load`.

The rooms, each of which imports only those below it (`python -m tests.layers` checks that):

    cli          commands, options and exit codes
    training     recipes, generated scenes, the training loop
    evaluation   datasets, scores against ground truth, comparisons
    batch        many clips: the list, the engines, the record
    pipeline     one input, from request to files; `inspection` beside it: a look inside RAFT
    model        RAFT on a device, and its weights
    flow         flow as a value, as a file and as a picture: `formats`, `outputs`
    media        frames from sources, encoded frames to files
    system       console, files, threads, signals
    raft_core    RAFT on tensors: a package of its own, which imports nothing of flowcli
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcli.version import __version__

if TYPE_CHECKING:
    from flowcli.api import Estimator, estimate, load, video

__all__ = ["Estimator", "__version__", "estimate", "load", "video"]


def __getattr__(name: str) -> object:
    """Imports torch only when one of the functions is first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - flowcli --version must not import torch

    return getattr(import_module("flowcli.api"), name)


def __dir__() -> list[str]:
    return __all__
