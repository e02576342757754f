"""From a name or a path to weights: embedded in the package, in a folder of the user's, or any checkpoint file."""

from __future__ import annotations

import difflib
import hashlib
import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from flowcli.errors import WeightsError
from raft_core import checkpoint
from raft_core.errors import CheckpointError

if TYPE_CHECKING:
    from raft_core.raft import RAFT

DEFAULT = "raft-small"


@dataclass(frozen=True)
class Weights:
    """A file of weights, the name it is known by, and its sha256."""

    name: str
    path: Path
    sha256: str


def folders() -> list[Path]:
    """Where names are looked up, first match wins: $FLOWCLI_WEIGHTS_DIR, the package, the user's cache."""
    chosen = [Path(folder) for folder in [os.environ.get("FLOWCLI_WEIGHTS_DIR")] if folder]
    # An editable install leaves the folder where it is in the repository, beside the package.
    packaged = Path(str(files("flowcli"))) / "_weights"
    beside = Path(str(files("flowcli"))).parent / "weights"
    cache = platformdirs.user_cache_path("flowcli") / "weights"
    return [*chosen, packaged, beside, cache]


def known_names() -> list[str]:
    """The names that can be given instead of a path."""
    return sorted({path.stem for folder in folders() for path in folder.glob("*.safetensors")})


def find(name_or_path: str) -> Weights:
    """The weights of this name or path; raises WeightsError where there are none."""
    path = Path(name_or_path)
    if not os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises where a name is too long
        candidates = (folder / f"{name_or_path}.safetensors" for folder in folders())
        path = next((candidate for candidate in candidates if os.path.isfile(candidate)), path)  # noqa: PTH113
    if not os.path.isfile(path):  # noqa: PTH113
        close = difflib.get_close_matches(name_or_path, known_names())
        known = ", ".join(known_names()) or "none are installed"
        raise WeightsError(
            f"there are no weights called {name_or_path!r}",
            hint=f"did you mean {close[0]}?" if close else f"give a checkpoint file, or a name: {known}",
        )
    try:
        with path.open("rb") as file:
            return Weights(path.stem, path, hashlib.file_digest(file, "sha256").hexdigest())
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise WeightsError(
            f"{path} cannot be read: {reason}", hint="see its permissions, or give another file"
        ) from error


def load(weights: Weights) -> RAFT:
    """The model with these weights, in float32 on the CPU; raises WeightsError where they do not fit."""
    try:
        return checkpoint.load(weights.path)
    except CheckpointError as error:
        raise WeightsError(str(error), hint=error.hint) from error
    except FileNotFoundError as error:
        raise WeightsError(f"{weights.path} is gone", hint="put it back, or give another checkpoint") from error
