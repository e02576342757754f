"""Turns a request into an estimator and its resolved settings."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, get_args

import torch

from flowcli.errors import UsageError
from flowcli.media.encoding import Encoding
from flowcli.model.device import choose_device, choose_precision, keep_memory
from flowcli.model.estimator import FlowEstimator
from flowcli.model.memory_plan import parse_size
from flowcli.model.resize import Reduction
from flowcli.model.settings import Direction, Occlusion, Settings
from flowcli.model.weights import load

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    from flowcli.model.weights import Weights
    from flowcli.pipeline.request import Request
    from raft_core.raft import RAFT

MOST_ITERATIONS = 12
"""The maximum number of updates with `--iters auto`."""


def resolve(request: Request, *, device: torch.device, saved: Collection[str]) -> Settings:
    """The settings of a run that writes the kinds of output in `saved`; raises UsageError for invalid options."""
    iterations, tolerance = iterations_of(request.iterations, request.tolerance)
    if not 0 < request.scale <= 1:
        raise UsageError(f"--scale {request.scale} is not between 0 and 1", hint="0.5 computes at half the size")
    for name, limit in (("relative", request.occlusion_relative), ("absolute", request.occlusion_absolute)):
        if not 0 <= limit < math.inf:
            raise UsageError(f"--occlusion-{name} {limit} is not a threshold", hint="give a number of at least 0")
    return Settings(
        iterations=iterations,
        tolerance=tolerance,
        direction=direction_of(request.direction, saved),
        warm_start=request.warm_start,
        batch=batch_of(request.batch),
        memory=None if request.memory is None else parse_size(request.memory),
        precision=choose_precision(request.precision, device),
        reduction=Reduction(scale=request.scale, max_side=request.max_side),
        occlusion=Occlusion(request.occlusion_relative, request.occlusion_absolute),
    )


def estimator_of(
    request: Request, weights: Weights, *, saved: Collection[str] = (), model: RAFT | None = None
) -> FlowEstimator:
    """The estimator for a request; `model` is the model of `weights` if it is already loaded.

    Raises UsageError for invalid options, DeviceError if the device does not exist.
    """
    device = choose_device(request.device)
    settings = resolve(request, device=device, saved=saved)
    keep_memory()
    return FlowEstimator(model or load(weights), device=device, settings=settings)


def settle(estimator: FlowEstimator, size: tuple[int, int], resolved: Mapping[str, Any] | None) -> None:
    """Fixes the estimator's settings: as planned for frames of `size` (width, height), or as `resolved` earlier.

    Resolved settings also set the number of threads of this process.
    """
    settings = estimator.settings
    if resolved is None:
        plan = estimator.plan(size[1], size[0])
        estimator.settings = replace(settings, batch=plan.batch, on_demand=plan.on_demand)
        return
    precision = getattr(torch, resolved["precision"])
    estimator.settings = replace(
        settings, batch=resolved["batch"], on_demand=resolved["on_demand"], precision=precision
    )
    torch.set_num_threads(resolved["threads"])


def resolved_of(estimator: FlowEstimator) -> dict[str, Any]:
    """The settings that another process needs to repeat the same arithmetic."""
    settings = estimator.settings
    return {
        "batch": settings.batch,
        "on_demand": settings.on_demand,
        "precision": str(settings.precision).removeprefix("torch."),
        "threads": torch.get_num_threads(),
    }


def settings_record(request: Request, estimator: FlowEstimator, *, max_flow: float | None) -> dict[str, object]:
    """The resolved settings, for reports; `max_flow` in px if one colour scale serves the whole run, else None."""
    settings = estimator.settings
    return {
        "iterations": settings.iterations,
        "tolerance": settings.tolerance,
        "direction": settings.direction,
        "warm_start": settings.warm_start,
        "batch": settings.batch,
        "correlation": "on demand" if settings.on_demand else "all pairs",
        "device": str(estimator.device),
        "precision": str(settings.precision).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "scale": settings.reduction.scale,
        "max_side": settings.reduction.max_side,
        "occlusion": {"relative": settings.occlusion.relative, "absolute": settings.occlusion.absolute},
        "skip": request.skip,
        "sliding": request.sliding,
        "save": request.save,
        "max_flow": None if max_flow is None else round(max_flow, 3),
        "scale_mode": request.scale_mode,
        "gamma": request.gamma,
        "background": request.background,
    }


def encoding_of(request: Request) -> Encoding:
    """How a run encodes its outputs; raises UsageError for options that cannot be combined."""
    return Encoding(
        request.codec,
        request.crf,
        request.preset,
        request.pixel_format,
        half=request.half,
        bound=request.bound,
        y=request.y,
    )


def iterations_of(text: str, tolerance: float) -> tuple[int, float | None]:
    """The maximum number of updates, and for `auto` the change in px below which updates stop.

    Raises UsageError for an invalid number.
    """
    if text == "auto":
        if not 0 < tolerance < math.inf:
            raise UsageError(
                f"--tolerance {tolerance} is not a positive number of px", hint="give a number above 0, such as 0.1"
            )
        return MOST_ITERATIONS, tolerance
    return positive(text, "--iters"), None


def batch_of(text: str) -> int | None:
    """The number of pairs per model call; None for `auto`. Raises UsageError for an invalid number."""
    return None if text == "auto" else positive(text, "--batch")


def direction_of(text: str, saved: Collection[str]) -> Direction:
    """The requested direction, or both if `saved` contains occlusion, which needs both.

    Raises UsageError for an unknown direction, and for occlusion of backward flow.
    """
    if text not in get_args(Direction):
        raise UsageError(f"--direction {text} is not known", hint=f"use {', '.join(get_args(Direction))}")
    if "occlusion" in saved:
        if text == "backward":
            raise UsageError("--save occlusion needs both directions", hint="omit --direction, or use both")
        return "both"
    return text  # type: ignore[return-value]


def positive(text: str, option: str) -> int:
    """A whole number of at least 1; raises UsageError, naming the option, for anything else."""
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"{option} {text} is not a number of at least 1", hint="give a whole number, or auto")
    return int(text)
