"""From what a user asked for to how flow is computed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, get_args

from flowcli.errors import UsageError
from flowcli.media.encoding import Encoding
from flowcli.model.device import choose_precision
from flowcli.model.memory_plan import parse_size
from flowcli.model.resize import Reduction
from flowcli.model.settings import Direction, Occlusion, Settings

if TYPE_CHECKING:
    from collections.abc import Collection

    import torch

    from flowcli.pipeline.request import Request

MOST_ITERATIONS = 12
"""How many steps `--iters auto` takes at most: as many as are taken without it. Later ones add time, not accuracy."""


def resolve(request: Request, *, device: torch.device, sinks: Collection[str]) -> Settings:
    """The settings of a run that writes `sinks`; raises UsageError for what makes no sense."""
    iterations, tolerance = iterations_of(request.iterations, request.tolerance)
    if not 0 < request.scale <= 1:
        raise UsageError(f"--scale {request.scale} is not between 0 and 1", hint="0.5 computes at half the size")
    for name, limit in (("relative", request.occlusion_relative), ("absolute", request.occlusion_absolute)):
        if not 0 <= limit < math.inf:
            raise UsageError(f"--occlusion-{name} {limit} is no threshold", hint="give a number of at least 0")
    return Settings(
        iterations=iterations,
        tolerance=tolerance,
        direction=direction_of(request.direction, sinks),
        warm_start=request.warm_start,
        batch=batch_of(request.batch),
        memory=None if request.memory is None else parse_size(request.memory),
        precision=choose_precision(request.precision, device),
        reduction=Reduction(scale=request.scale, max_side=request.max_side),
        occlusion=Occlusion(request.occlusion_relative, request.occlusion_absolute),
    )


def encoding_of(request: Request) -> Encoding:
    """How the run encodes what it writes; raises UsageError for what does not go together."""
    return Encoding(request.codec, request.crf, request.preset, request.pixel_format, half=request.half)


def iterations_of(text: str, tolerance: float) -> tuple[int, float | None]:
    """How many steps at most, and, for `auto`, the change in pixels below which there are no more."""
    if text == "auto":
        if not 0 < tolerance < math.inf:
            raise UsageError(f"--tolerance {tolerance} is no change in px", hint="give a number above 0, such as 0.1")
        return MOST_ITERATIONS, tolerance
    return positive(text, "--iters"), None


def batch_of(text: str) -> int | None:
    """Pairs per model call; None for `auto`."""
    return None if text == "auto" else positive(text, "--batch")


def direction_of(text: str, sinks: Collection[str]) -> Direction:
    """The direction asked for, or both where occlusion is saved, which takes both."""
    if text not in get_args(Direction):
        raise UsageError(f"--direction {text} is not known", hint=f"use {', '.join(get_args(Direction))}")
    if "occlusion" in sinks:
        if text == "backward":
            raise UsageError("--save occlusion takes both directions", hint="leave --direction out, or ask for both")
        return "both"
    return text  # type: ignore[return-value]


def positive(text: str, option: str) -> int:
    """A whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"{option} {text} is no number of at least 1", hint="give a whole number, or auto")
    return int(text)
