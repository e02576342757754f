"""Finds weights by name or path, embedded, in the user's folder or in any checkpoint file, and loads them."""

from __future__ import annotations

import difflib
import hashlib
import os
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from flowcli.errors import WeightsError
from flowcli.model.weights.published import PUBLISHED
from raft_core import checkpoint
from raft_core.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from raft_core.raft import RAFT

DEFAULT = "raft-small-convex"
SUFFIXES = (".safetensors", ".pth")
"""The extensions of files that are found by name."""


@dataclass(frozen=True)
class Weights:
    """A file of weights, its name and its sha256."""

    name: str
    path: Path
    sha256: str


def folders() -> list[Path]:
    """The folders in which names are looked up, in order: $FLOWCLI_WEIGHTS_DIR, the package, the user's cache."""
    chosen = [Path(folder) for folder in [os.environ.get("FLOWCLI_WEIGHTS_DIR")] if folder]
    return [*chosen, *embedded(), cache()]


def embedded() -> list[Path]:
    """The folders of weights that are part of flowcli."""
    package = Path(str(files("flowcli")))
    # In an editable install the folder is beside the package, in the repository.
    return [package / "_weights", package.parent / "weights"]


def cache() -> Path:
    """The folder of fetched weights in the user's cache."""
    return platformdirs.user_cache_path("flowcli") / "weights"


def storage() -> Path:
    """The folder to fetch weights into: $FLOWCLI_WEIGHTS_DIR, else the user's cache."""
    return Path(os.environ.get("FLOWCLI_WEIGHTS_DIR") or cache())


def present() -> dict[str, Path]:
    """The file of every name that can be given instead of a path."""
    found: dict[str, Path] = {}
    for folder in folders():
        for suffix in SUFFIXES:
            for path in sorted(folder.glob(f"[!.]*{suffix}")):
                found.setdefault(path.stem, path)
    return found


def find(name_or_path: str) -> Weights:
    """The weights of this name or path; raises WeightsError if they do not exist or cannot be read."""
    path = Path(name_or_path)
    if not os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises where a name is too long
        known = present()
        if name_or_path not in known:
            raise unknown(name_or_path, list(known))
        path = known[name_or_path]
    try:
        with path.open("rb") as file:
            return Weights(path.stem, path, hashlib.file_digest(file, "sha256").hexdigest())
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise WeightsError(
            f"{path} cannot be read: {reason}", hint="check its permissions, or give another file"
        ) from error


def unknown(name: str, known: list[str]) -> WeightsError:
    """The error for an unknown name; its hint says how to fetch it, or suggests other names."""
    if name in PUBLISHED:
        return WeightsError(f"{name} is not on this machine", hint=f"flowcli weights fetch {name}")
    close = difflib.get_close_matches(name, [*known, *PUBLISHED])
    names = ", ".join(sorted(known)) or "none are installed"
    return WeightsError(
        f"there are no weights called {name!r}",
        hint=f"did you mean {close[0]}?" if close else f"give a checkpoint file, or a name: {names}",
    )


def load(weights: Weights) -> RAFT:
    """The RAFT with these weights, in evaluation mode, float32, on the CPU; raises WeightsError if they do not fit."""
    with translated(weights.path):
        return checkpoint.load(weights.path)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turns the errors of reading a checkpoint into WeightsError."""
    try:
        yield
    except FileNotFoundError as error:
        raise WeightsError(f"{path} no longer exists", hint="restore it, or give another checkpoint") from error
    except CheckpointError as error:
        raise WeightsError(str(error), hint=error.hint) from error
