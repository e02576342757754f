"""Finds the weights of a RAFT in what training scripts store: below entries, and behind prefixes of names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from raft_core.errors import CheckpointError
from raft_core.names import ROOTS, recognise

ALONE = "save the state dict of the one you mean in a file of its own"
# Entries that hold averaged weights, which are better, then those that hold weights.
AVERAGED = ("ema", "ema_state_dict", "state_dict_ema", "model_ema", "ema_model", "params_ema")
ENTRIES = ("state_dict", "model_state_dict", "model", "net", "network", "params", "weights", "module")
# What DataParallel, torch.compile, and scripts' own classes put before a name.
WRAPPING = ("module", "_orig_mod")
USUAL = (*WRAPPING, "model", "net", "network", "raft")
_DEEPEST = 4


@dataclass(frozen=True, eq=False)
class Found:
    """Weights by their bare names; `entry` is the path of their entry, such as `model.state_dict`, None at the top."""

    tensors: dict[str, Tensor]
    entry: str | None


def find_weights(content: Mapping[object, object]) -> Found | None:
    """The weights in the content of a checkpoint, averaged ones first; None where no entry holds a RAFT's.

    Raises CheckpointError, whose message wants a subject, where several entries or prefixes hold one.
    """
    found = [(path, tensors) for path, tensors in entries_of(content, set()) if prefixes(tensors)]
    chosen = [each for each in found if not each[0]]
    for name in (*AVERAGED, *ENTRIES):
        chosen = chosen or [each for each in found if name in each[0]]
    found = chosen or found
    if len(found) > 1:
        names = ", ".join(".".join(path) for path, _ in found)
        raise CheckpointError(f"holds several sets of weights: {names}", hint=ALONE)
    if not found:
        return None
    path, entry = found[0]
    return Found(without_prefix(entry), ".".join(path) or None)


def entries_of(
    content: Mapping[object, object], seen: set[int], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], dict[str, Tensor]]]:
    """Every set of named tensors in nested dictionaries, with its path; what lies beside them is left out.

    `seen` are the dictionaries that have been visited, which may hold each other.
    """
    seen.add(id(content))
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    if tensors:
        yield path, tensors
    if len(path) < _DEEPEST:
        for name, value in content.items():
            if isinstance(value, dict) and id(value) not in seen:
                yield from entries_of(value, seen, (*path, str(name)))


def without_prefix(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of one model by their bare names; others, such as those of a loss, are left out.

    Raises CheckpointError where several prefixes have the names of a RAFT.
    """
    known = prefixes(tensors)
    usual = [prefix for prefix in known if all(part in USUAL for part in prefix.split(".")[:-1])]
    if len(usual or known) > 1:
        raise CheckpointError(f"holds several models: {', '.join(usual or known)}", hint=ALONE)
    (chosen,) = usual or known
    others = [prefix for prefix in known if prefix != chosen and prefix.startswith(chosen)]
    return bare(
        {
            name.removeprefix(chosen): tensor
            for name, tensor in tensors.items()
            if name.startswith(chosen) and not any(name.startswith(other) for other in others)
        }
    )


def prefixes(tensors: Mapping[str, Tensor]) -> list[str]:
    """What stands before the names of a RAFT, each with its last dot; the empty string where they are bare."""
    groups: dict[str, list[str]] = {}
    for name in tensors:
        parts = name.split(".")
        root = next((number for number, part in enumerate(parts) if part in ROOTS), None)
        if root is not None:
            before = "".join(f"{part}." for part in parts[:root])
            groups.setdefault(before, []).append(name.removeprefix(before))
    return [before for before, names in groups.items() if recognise(bare(dict.fromkeys(names, torch.empty(0))))]


def bare(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors without the parts of names that wrapped modules have."""
    return {
        ".".join(part for part in name.split(".") if part not in WRAPPING): tensor for name, tensor in tensors.items()
    }
