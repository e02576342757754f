"""From a name or a path to weights: embedded in the package, in a folder of the user's, or any checkpoint file."""

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

DEFAULT = "raft-small"
SUFFIXES = (".safetensors", ".pth")
"""What files may be called that are found by their names."""


@dataclass(frozen=True)
class Weights:
    """A file of weights, the name it is known by, and its sha256."""

    name: str
    path: Path
    sha256: str


def folders() -> list[Path]:
    """Where names are looked up, first match wins: $FLOWCLI_WEIGHTS_DIR, the package, the user's cache."""
    chosen = [Path(folder) for folder in [os.environ.get("FLOWCLI_WEIGHTS_DIR")] if folder]
    return [*chosen, *embedded(), cache()]


def embedded() -> list[Path]:
    """Where weights lie that come with flowcli."""
    package = Path(str(files("flowcli")))
    # An editable install leaves the folder where it is in the repository, beside the package.
    return [package / "_weights", package.parent / "weights"]


def cache() -> Path:
    """The user's own folder for fetched weights."""
    return platformdirs.user_cache_path("flowcli") / "weights"


def storage() -> Path:
    """Where fetched weights go: $FLOWCLI_WEIGHTS_DIR, else the user's cache."""
    return Path(os.environ.get("FLOWCLI_WEIGHTS_DIR") or cache())


def present() -> dict[str, Path]:
    """Every name that can be given instead of a path, with the file that it stands for."""
    found: dict[str, Path] = {}
    for folder in folders():
        for suffix in SUFFIXES:
            for path in sorted(folder.glob(f"[!.]*{suffix}")):
                found.setdefault(path.stem, path)
    return found


def find(name_or_path: str) -> Weights:
    """The weights of this name or path; raises WeightsError where there are none."""
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
            f"{path} cannot be read: {reason}", hint="see its permissions, or give another file"
        ) from error


def unknown(name: str, known: list[str]) -> WeightsError:
    """The error for a name that nothing has: how to get it, what it may have meant, or what there is."""
    if name in PUBLISHED:
        return WeightsError(f"{name} is not on this machine", hint=f"flowcli weights fetch {name}")
    close = difflib.get_close_matches(name, [*known, *PUBLISHED])
    names = ", ".join(sorted(known)) or "none are installed"
    return WeightsError(
        f"there are no weights called {name!r}",
        hint=f"did you mean {close[0]}?" if close else f"give a checkpoint file, or a name: {names}",
    )


def load(weights: Weights) -> RAFT:
    """The model with these weights, in float32 on the CPU; raises WeightsError where they do not fit."""
    with translated(weights.path):
        return checkpoint.load(weights.path)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turns what reading a checkpoint raises into a WeightsError."""
    try:
        yield
    except CheckpointError as error:
        raise WeightsError(str(error), hint=error.hint) from error
    except FileNotFoundError as error:
        raise WeightsError(f"{path} is gone", hint="put it back, or give another checkpoint") from error
