"""Converts weights to the tensor names and formats of other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import torch

from flowcli.errors import UsageError, WeightsError
from flowcli.model.weights import translated
from flowcli.system.files import reported
from flowcli.system.outputs import refuse_output
from raft_core import checkpoint
from raft_core.names import Origin

if TYPE_CHECKING:
    from pathlib import Path

    from flowcli.model.weights import Weights

SUFFIXES = (".safetensors", ".pth", ".pt")
PRECISIONS = ("auto", "fp32", "fp16")
SHORT = {torch.float64: "fp64", torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}
"""Dtypes as options name them."""


def convert_weights(weights: Weights, output: Path, *, names: str, precision: str, overwrite: bool) -> str:
    """Writes weights to `output` under the tensor names of `names`; returns a summary.

    Raises UsageError for options that make no sense, WeightsError where `weights` cannot be loaded or are beyond fp16.
    """
    if names not in get_args(Origin):
        raise UsageError(f"--to {names} is not known", hint=f"use {', '.join(get_args(Origin))}")
    if precision not in PRECISIONS:
        raise UsageError(f"--precision {precision} is not supported for weights", hint=f"use {', '.join(PRECISIONS)}")
    check_output(output, weights, suffixes=SUFFIXES, overwrite=overwrite)
    with translated(weights.path):
        contents = checkpoint.read(weights.path)
        model = checkpoint.build(contents)
    stored = SHORT.get(contents.precision, str(contents.precision).removeprefix("torch."))
    half = stored == "fp16" if precision == "auto" else precision == "fp16"
    for name, tensor in model.state_dict().items():
        if half and tensor.is_floating_point() and not tensor.half().isfinite().all():
            message = f"{name} in {weights.path} has values beyond the range of fp16"
            raise WeightsError(message, hint="use --precision fp32")
    facts = {name: value for name, value in contents.facts.items() if name != "config"}
    with reported(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.save(model, output, names=names, half=half, metadata=facts)  # type: ignore[arg-type]
    lossy = stored != "fp16" if half else stored == "fp64"
    return f"{model.config.name} under {names} names in {'fp16' if half else 'fp32'}, " + (
        f"rounded from {stored}" if lossy else "without loss"
    )


def check_output(output: Path, weights: Weights, *, suffixes: tuple[str, ...], overwrite: bool) -> None:
    """Raises UsageError if `output` has another extension, or must not be replaced."""
    if output.suffix.lower() not in suffixes:
        raise UsageError(f"{output} does not end with {' or '.join(suffixes)}", hint="name the file to write")
    refuse_output(output, [weights.path], overwrite=overwrite)
