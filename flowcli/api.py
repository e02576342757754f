"""The Python interface: `flowcli.estimate` for two images, `flowcli.video` for a video, `flowcli.load` for a model.

Unusable inputs, weights, devices and settings raise a `flowcli.errors.FlowcliError`, whose `hint` says what to do.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

import numpy as np
import torch
from torch import Tensor

from flowcli.media.frames import Frame, FramePair
from flowcli.media.pairs import Pairing, pairs_of
from flowcli.media.selection import parse_selection
from flowcli.media.sources import open_source
from flowcli.model.estimator import FlowEstimator, estimator_for
from flowcli.model.quality import BALANCED, Effort
from flowcli.model.settings import Settings
from flowcli.model.weights import DEFAULT, find
from flowcli.model.weights import load as load_weights
from raft_core.raft import RAFT

if TYPE_CHECKING:
    from collections.abc import Generator

    from jaxtyping import Float, UInt8
    from numpy.typing import NDArray

    from flowcli.flow.estimate import Estimate
    from flowcli.media.sources import Source
    from flowcli.model.settings import Direction
    from flowcli.model.weights import Weights


def load(weights: str | Path = DEFAULT) -> RAFT:
    """The RAFT with the weights of a name or a checkpoint's path, in evaluation mode, in float32 on the CPU.

    Raises WeightsError where no such weights exist, or the file holds no RAFT.
    """
    return load_weights(find(str(weights)))


@overload
def estimate(
    first: UInt8[NDArray[np.uint8], "height width 3"],
    second: UInt8[NDArray[np.uint8], "height width 3"],
    *,
    weights: str | Path | RAFT = ...,
    quality: str = ...,
    iterations: int | Literal["auto"] = ...,
    refine: str = ...,
    device: str = ...,
    precision: str = ...,
) -> Float[NDArray[np.float32], "height width 2"]: ...
@overload
def estimate(
    first: UInt8[Tensor, "*batch 3 height width"],
    second: UInt8[Tensor, "*batch 3 height width"],
    *,
    weights: str | Path | RAFT = ...,
    quality: str = ...,
    iterations: int | Literal["auto"] = ...,
    refine: str = ...,
    device: str = ...,
    precision: str = ...,
) -> Float[Tensor, "*batch 2 height width"]: ...
def estimate(
    first: NDArray[np.uint8] | Tensor,
    second: NDArray[np.uint8] | Tensor,
    *,
    weights: str | Path | RAFT = DEFAULT,
    quality: str = BALANCED,
    iterations: int | Literal["auto"] = "auto",
    refine: str = "auto",
    device: str = "auto",
    precision: str = "auto",
) -> NDArray[np.float32] | Tensor:
    """The flow from `first` to `second`, RGB images of one size: the displacement in pixels, x right and y down.

    NumPy (height, width, 3) gives (height, width, 2); a tensor (3, height, width) or a batch of them gives
    (2, height, width) or a batch of them, on the device of `first`. It is float32, on the grid of `first`. For repeated
    calls, give a model from `load` as `weights`. `quality`, `iterations`, `refine`, `device` and `precision` are the
    options of `flowcli pair`. Raises TypeError for images that are not uint8, ValueError where shapes do not fit, and
    UsageError, DeviceError or WeightsError.
    """
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        images = [images_of(frames) for frames in (first, second)]
    elif isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        images = [[first], [second]]
    else:
        raise TypeError(f"two arrays or two tensors are needed, got {type(first).__name__} and {type(second).__name__}")
    pairs = [pair_of(one, other) for one, other in zip(*images, strict=True)]
    effort = Effort(quality=quality, iterations=str(iterations), refine=refine, precision=precision)
    estimator = estimator_for(model_of(weights), device=device, effort=effort)
    estimates = list(estimator.estimate(pairs))
    if not isinstance(first, Tensor):
        return estimates[0].flow
    flows = [estimate.forward for estimate in estimates if estimate.forward is not None]
    return torch.stack(flows).to(first.device).view(*first.shape[:-3], 2, *first.shape[-2:])


def video(
    path: str | Path,
    *,
    skip: int = 1,
    sliding: bool = False,
    start: str | None = None,
    end: str | None = None,
    max_frames: int | None = None,
    weights: str | Path | RAFT = DEFAULT,
    quality: str = BALANCED,
    iterations: int | Literal["auto"] = "auto",
    refine: str = "auto",
    direction: Direction = "forward",
    warm_start: bool = False,
    max_side: int | None = None,
    device: str = "auto",
    precision: str = "auto",
) -> Generator[Estimate, None, None]:
    """Yields the flow of a video, an image folder or a numbered pattern, from frame t to frame t + `skip`.

    Each estimate has `flow` (height, width, 2) in pixels as NumPy, `forward` and `backward` as tensors, `occlusion`
    if `direction` is both, and its `pair` of frames with `image`, `index` and exact `time`. The arguments are the
    options of `flowcli video`. Memory does not grow with the length of the video, unless estimates are kept.

    Raises ValueError or FlowcliError at the call, not at the first estimate, where the input cannot be used.
    """
    if skip < 1:
        raise ValueError(f"skip must be at least 1, got {skip}")
    source = open_source(Path(path), selection=parse_selection(start, end, max_frames))
    effort = Effort(quality=quality, iterations=str(iterations), refine=refine, max_side=max_side, precision=precision)
    settings = Settings(direction=direction, warm_start=warm_start, batch=None)
    estimator = estimator_for(model_of(weights), device=device, effort=effort, settings=settings)
    return estimates_of(source, estimator, skip=skip, sliding=sliding)


def estimates_of(
    source: Source, estimator: FlowEstimator, *, skip: int, sliding: bool
) -> Generator[Estimate, None, None]:
    """Yields the flow of a source, and closes it at the end."""
    with source:
        yield from estimator.estimate(pairs_of(source.frames(), Pairing(skip, sliding)))


def model_of(weights: str | Path | RAFT) -> Weights | RAFT:
    """A model unchanged, or the weights of a name or path; raises WeightsError where there are none."""
    return weights if isinstance(weights, RAFT) else find(str(weights))


def images_of(frames: UInt8[Tensor, "*batch 3 height width"]) -> list[NDArray[np.uint8]]:
    """The images of a tensor as NumPy; raises ValueError for another shape."""
    if frames.ndim < 3 or frames.shape[-3] != 3:
        raise ValueError(f"a tensor of frames is (..., 3, height, width), got {tuple(frames.shape)}")
    return list(frames.reshape(-1, *frames.shape[-3:]).permute(0, 2, 3, 1).cpu().numpy())


def pair_of(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> FramePair:
    """The pair of two RGB images; raises TypeError and ValueError where they do not fit."""
    for image in (first, second):
        if image.dtype != np.uint8:
            raise TypeError(f"frames are RGB from 0 to 255 in uint8, got {image.dtype}")
        if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise ValueError(f"a frame is (height, width, 3), got {image.shape}")
    if first.shape != second.shape:
        raise ValueError(f"the frames differ in size: {first.shape} and {second.shape}")
    return FramePair(Frame(0, Fraction(0), first), Frame(1, Fraction(1), second), continues=False)
