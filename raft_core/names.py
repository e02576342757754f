"""The names of RAFT's tensors in published checkpoints, translated to and from flowcli's."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import Tensor

Origin = Literal["flowcli", "princeton", "torchvision"]

# The name of every layer in flowcli, princeton-vl and torchvision. {n} is a number, {pass} one that princeton-vl omits
# where the recurrent unit has a single pass (the small model).
LAYERS = (
    ("{encoder}.stem.conv", "{encoder}.conv1", "{encoder}.convnormrelu.0"),
    ("{encoder}.stem.norm", "{encoder}.norm1", "{encoder}.convnormrelu.1"),
    (
        "{encoder}.stages.{stage}.{block}.shortcut.conv",
        "{encoder}.layer{stage}.{block}.downsample.0",
        "{encoder}.layer{stage}.{block}.downsample.0",
    ),
    (
        "{encoder}.stages.{stage}.{block}.shortcut.norm",
        "{encoder}.layer{stage}.{block}.downsample.1",
        "{encoder}.layer{stage}.{block}.downsample.1",
    ),
    (
        "{encoder}.stages.{stage}.{block}.conv{n}",
        "{encoder}.layer{stage}.{block}.conv{n}",
        "{encoder}.layer{stage}.{block}.convnormrelu{n}.0",
    ),
    (
        "{encoder}.stages.{stage}.{block}.norm{n}",
        "{encoder}.layer{stage}.{block}.norm{n}",
        "{encoder}.layer{stage}.{block}.convnormrelu{n}.1",
    ),
    ("{encoder}.head", "{encoder}.conv2", "{encoder}.conv"),
    (
        "update_block.motion_encoder.correlation{n}",
        "update_block.encoder.convc{n}",
        "update_block.motion_encoder.convcorr{n}.0",
    ),
    (
        "update_block.motion_encoder.flow{n}",
        "update_block.encoder.convf{n}",
        "update_block.motion_encoder.convflow{n}.0",
    ),
    ("update_block.motion_encoder.merge", "update_block.encoder.conv", "update_block.motion_encoder.conv.0"),
    (
        "update_block.gru.pass{pass}.update_gate",
        "update_block.gru.convz{pass}",
        "update_block.recurrent_block.convgru{pass}.convz",
    ),
    (
        "update_block.gru.pass{pass}.reset_gate",
        "update_block.gru.convr{pass}",
        "update_block.recurrent_block.convgru{pass}.convr",
    ),
    (
        "update_block.gru.pass{pass}.candidate",
        "update_block.gru.convq{pass}",
        "update_block.recurrent_block.convgru{pass}.convq",
    ),
    ("update_block.flow_head.conv{n}", "update_block.flow_head.conv{n}", "update_block.flow_head.conv{n}"),
    ("mask_head.conv1", "update_block.mask.0", "mask_predictor.convrelu.0"),
    ("mask_head.conv2", "update_block.mask.2", "mask_predictor.conv"),
)
COLUMNS: dict[Origin, int] = {"flowcli": 0, "princeton": 1, "torchvision": 2}
ENCODERS = {"fnet": "feature_encoder", "cnet": "context_encoder"}
PATTERNS = {
    "encoder": "feature_encoder|context_encoder",
    "stage": r"\d",
    "block": r"\d",
    "n": r"\d",
    "pass": r"\d?",
    "leaf": r"\w+",
}

# A name that only this origin's files contain.
SIGNATURES: dict[Origin, str] = {
    "princeton": "fnet.conv1.weight",
    "torchvision": "feature_encoder.convnormrelu.0.weight",
    "flowcli": "feature_encoder.stem.conv.weight",
}

# The first part of every tensor's name, of any origin.
ROOTS = ("fnet", "cnet", "feature_encoder", "context_encoder", "update_block", "mask_predictor", "mask_head")

# princeton-vl registers the shortcut's norm a second time under this name (its large model only).
REPEATED = re.compile(r"^[fc]net\.layer\d\.\d\.norm3\.")


def recognise(names: Iterable[str]) -> Origin | None:
    """The origin whose files use these names; None if it is unknown."""
    known = set(names)
    return next((origin for origin, signature in SIGNATURES.items() if signature in known), None)


def to_ours(name: str, origin: Origin) -> str:
    """Our name for `origin`'s `name`; unknown names are returned unchanged."""
    if origin == "princeton":
        encoder, dot, rest = name.partition(".")
        name = ENCODERS.get(encoder, encoder) + dot + rest
    for row in LAYERS:
        found = pattern(row[COLUMNS[origin]]).fullmatch(name)
        if found:
            parts = found.groupdict()
            if "pass" in parts:
                parts["pass"] = parts["pass"] or "1"
            return f"{row[0]}.{{leaf}}".format(**parts)
    return name


def to_theirs(name: str, origin: Origin, *, passes: int) -> str:
    """`origin`'s name for our `name`, in a model with so many GRU passes; raises ValueError for an unknown name."""
    for row in LAYERS:
        found = pattern(row[0]).fullmatch(name)
        if found:
            parts = found.groupdict()
            if origin == "princeton" and passes == 1:
                parts["pass"] = ""
            theirs = f"{row[COLUMNS[origin]]}.{{leaf}}".format(**parts)
            return as_princeton(theirs) if origin == "princeton" else theirs
    raise ValueError(f"{name!r} is no tensor of a RAFT")


def as_princeton(name: str) -> str:
    """The name with princeton-vl's short name of the encoder."""
    for short, long in ENCODERS.items():
        name = name.replace(f"{long}.", f"{short}.", 1)
    return name


def translate(tensors: Mapping[str, Tensor], origin: Origin) -> dict[str, Tensor]:
    """Tensors of `origin` under our names, each once."""
    return {
        to_ours(name, origin): tensor
        for name, tensor in tensors.items()
        if not (origin == "princeton" and REPEATED.search(name))
    }


def publish(tensors: Mapping[str, Tensor], origin: Origin, *, passes: int) -> dict[str, Tensor]:
    """Our tensors under `origin`'s names, for its own strict loading; the inverse of `translate`.

    Princeton-vl's names start with DataParallel's `module.`, and its large model stores the shortcut's norm twice.
    """
    published = {to_theirs(name, origin, passes=passes): tensor for name, tensor in tensors.items()}
    if origin != "princeton":
        return published
    if passes > 1:
        shortcuts = {name: tensor for name, tensor in published.items() if ".downsample.1." in name}
        # Copies, because safetensors stores no tensor twice.
        published |= {name.replace(".downsample.1.", ".norm3."): tensor.clone() for name, tensor in shortcuts.items()}
    return {f"module.{name}": tensor for name, tensor in published.items()}


@cache
def pattern(template: str) -> re.Pattern[str]:
    """A regular expression for the tensors of a layer, whose own names follow the last dot."""
    escaped = re.escape(f"{template}.{{leaf}}").replace(r"\{", "{").replace(r"\}", "}")
    return re.compile(re.sub(r"\{(\w+)\}", lambda slot: f"(?P<{slot[1]}>{PATTERNS[slot[1]]})", escaped))
