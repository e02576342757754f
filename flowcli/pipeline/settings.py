"""Turns a request into an estimator and its resolved settings."""

from __future__ import annotations

import math
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING

import torch

from flowcli.errors import UsageError
from flowcli.media.pairs import Pairing
from flowcli.media.selection import parse_rate
from flowcli.model.device import keep_memory
from flowcli.model.estimator import estimator_for
from flowcli.model.memory_plan import parse_size
from flowcli.model.quality import Effort, positive
from flowcli.model.settings import Occlusion, Settings
from flowcli.pipeline.outputs import direction_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    from flowcli.flow.colour import ColourScale
    from flowcli.model.estimator import FlowEstimator
    from flowcli.model.weights import Weights
    from flowcli.pipeline.request import Request
    from raft_core.raft import RAFT


def resolve(request: Request, *, saved: Collection[str]) -> Settings:
    """The settings of a run that writes the kinds of output in `saved`, but for its effort.

    Raises UsageError for invalid options.
    """
    for name, limit in (("relative", request.occlusion_relative), ("absolute", request.occlusion_absolute)):
        if not 0 <= limit < math.inf:
            raise UsageError(f"--occlusion-{name} {limit} is not a threshold", hint="give a number of at least 0")
    return Settings(
        direction=direction_of(request.direction, saved),
        warm_start=request.warm_start,
        batch=batch_of(request.batch),
        memory=None if request.memory is None else parse_size(request.memory),
        occlusion=Occlusion(request.occlusion_relative, request.occlusion_absolute),
    )


def effort_of(request: Request) -> Effort:
    """The options of a request that decide error and time."""
    return Effort(**{field.name: getattr(request, field.name) for field in fields(Effort)})


def pairing_of(request: Request) -> Pairing:
    """Which frames make pairs; raises UsageError where --sample-fps is not a rate, and for what cannot be combined."""
    sample_fps = parse_rate(request.sample_fps, "--sample-fps")
    return Pairing(request.skip, request.sliding, sample_fps, request.pad_last, request.reference)


def estimator_of(
    request: Request, weights: Weights, *, saved: Collection[str] = (), model: RAFT | None = None
) -> FlowEstimator:
    """The estimator for a request; `model` is the model of `weights` if it is already loaded.

    Raises UsageError for invalid options, DeviceError if the device does not exist.
    """
    settings = resolve(request, saved=saved)
    keep_memory()
    return estimator_for(model or weights, device=request.device, effort=effort_of(request), settings=settings)


def fix_settings(estimator: FlowEstimator, size: tuple[int, int], resolved: Mapping[str, Any] | None) -> None:
    """Fixes the estimator's settings: as planned for frames of `size` (width, height), or as `resolved` earlier.

    Resolved settings also set the number of threads of this process.
    """
    settings = estimator.settings
    if resolved is None:
        plan = estimator.plan(size[1], size[0])
        threads_each = estimator.threads_each(plan)
        estimator.settings = replace(settings, batch=plan.batch, on_demand=plan.on_demand, threads_each=threads_each)
        return
    precision = getattr(torch, resolved["precision"])
    estimator.settings = replace(
        settings,
        batch=resolved["batch"],
        on_demand=resolved["on_demand"],
        precision=precision,
        threads_each=resolved["threads_each"],
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
        "threads_each": settings.threads_each,
    }


def settings_record(
    request: Request, estimator: FlowEstimator, *, size: tuple[int, int], scale: ColourScale | None
) -> dict[str, object]:
    """The resolved settings, for reports on frames of `size` (width, height).

    `scale` is the colour scale if one serves the whole run, else None.
    """
    settings = estimator.settings
    return {
        "quality": request.quality,
        "iterations": settings.iterations,
        "tolerance": settings.tolerance,
        "refinement": None if settings.refinement is None else asdict(settings.refinement),
        "direction": settings.direction,
        "warm_start": settings.warm_start,
        "batch": settings.batch,
        "correlation": "on demand" if settings.on_demand else "all pairs",
        "device": str(estimator.device),
        "precision": str(settings.precision).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "scale": settings.resizing.scale,
        "computed": list(settings.resizing.size(*size[::-1])[::-1]),
        "first_look": None if settings.first_look is None else asdict(settings.first_look),
        "second_look": settings.second_look,
        "max_side": settings.resizing.max_side,
        "occlusion": {"relative": settings.occlusion.relative, "absolute": settings.occlusion.absolute},
        "skip": request.skip,
        "sliding": request.sliding,
        "sample_fps": request.sample_fps,
        "pad_last": request.pad_last,
        "names": request.names,
        "save": request.save,
        "max_flow": None if scale is None else round(scale.max_flow, 3),
        "scale_mode": request.scale_mode,
        "gamma": None if scale is None else scale.gamma,
        "background": request.background,
        "wheel": request.wheel,
        "stabilise": request.stabilise,
    }


def batch_of(text: str) -> int | None:
    """The number of pairs per model call; None for `auto`. Raises UsageError for an invalid number."""
    return None if text == "auto" else positive(text, "--batch")
