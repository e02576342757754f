"""The Python interface: `flowcli.estimate` for two images, `flowcli.video` for a video or frames in memory.

Both make an `Estimator` for one call; one of your own keeps its model and the features of images between calls.
Unusable inputs, weights and devices raise a `flowcli.errors.FlowcliError`, whose `hint` says what to do; arguments of a
wrong type or value a TypeError or ValueError that names them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from flowcli.api.arguments import Options, VideoOptions, split
from flowcli.api.estimator import Estimator
from flowcli.api.results import Flows, Result, VideoResult
from flowcli.model.weights import DEFAULT, find
from flowcli.model.weights import load as load_weights

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike
    from pathlib import Path
    from typing import Unpack

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from flowcli.api.estimator import Picture
    from raft_core.raft import RAFT

__all__ = ["Estimator", "Flows", "Result", "VideoResult", "estimate", "load", "video"]


def load(weights: str | Path = DEFAULT) -> RAFT:
    """The RAFT with the weights of a name or a checkpoint's path, in evaluation mode, in float32 on the CPU.

    Raises WeightsError where no such weights exist, or the file holds no RAFT.
    """
    return load_weights(find(str(weights)))


@overload
def estimate(
    first: Tensor, second: Tensor, *, initial_flow: Tensor | None = ..., **options: Unpack[Options]
) -> Result[Tensor]: ...
@overload
def estimate(
    first: Picture,
    second: Picture,
    *,
    initial_flow: NDArray[np.floating[Any]] | None = ...,
    **options: Unpack[Options],
) -> Result[NDArray[Any]]: ...
def estimate(first: Any, second: Any, *, initial_flow: Any = None, **options: Unpack[Options]) -> Result[Any]:
    """The flow from `first` to `second`, images of one size: see `Estimator.estimate`, and `Estimator` for options."""
    return Estimator(**options).estimate(first, second, initial_flow=initial_flow)


@overload
def video(source: Tensor, **options: Unpack[VideoOptions]) -> Flows[Tensor]: ...
@overload
def video(
    source: str | PathLike[str] | NDArray[Any] | Iterable[Picture], **options: Unpack[VideoOptions]
) -> Flows[NDArray[Any]]: ...
@overload
def video(source: Iterable[Tensor], **options: Unpack[VideoOptions]) -> Flows[Tensor]: ...
def video(source: Any, **options: Unpack[VideoOptions]) -> Flows[Any]:
    """The flow of a video, an image folder or a numbered pattern, or of frames in memory: see `Estimator.video`."""
    of_estimator, of_video = split(options)
    return Estimator(**of_estimator).video(source, **of_video)
