"""Images as a user has them, and back: arrays, tensors and PIL images to frames, flow to arrays and tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from flowcli.media.device_image import DeviceImage
from flowcli.media.memory import image_of, levels_of, samples_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from flowcli.flow.estimate import Estimate
    from flowcli.media.levels import Levels, Mode


def images_of(
    first: Any, second: Any, *, levels: Levels | Mode
) -> tuple[tuple[int, ...], list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]]:
    """The shape of the batch, empty for two images, and the pairs of images in it as 8-bit RGB."""
    shape, ones = split(first, "first", levels=levels)
    other_shape, others = split(second, "second", levels=levels)
    if shape != other_shape:
        raise ValueError(f"first and second differ: {tuple(first.shape)} and {tuple(second.shape)}")
    shown = levels_of(*ones, *others, wanted=levels)
    pairs = [(image_of(one, shown), image_of(other, shown)) for one, other in zip(ones, others, strict=True)]
    for one, other in pairs:
        if one.shape != other.shape:
            raise ValueError(f"first and second differ in size: {one.shape} and {other.shape}")
    return shape, pairs


def split(value: Any, name: str, *, levels: Levels | Mode) -> tuple[tuple[int, ...], list[Any]]:
    """The shape of a batch, and the samples of its images; raises TypeError and ValueError, which name the argument."""
    if not isinstance(value, np.ndarray | Tensor) or value.ndim <= 3:
        return (), [samples_of(value, name, levels=levels)]
    images = value.reshape(-1, *value.shape[-3:])
    if not len(images):
        raise ValueError(f"{name} is an empty batch, of shape {tuple(value.shape)}")
    return tuple(value.shape[:-3]), [samples_of(image, name, levels=levels) for image in images]


def starts_of(flow: Any, shape: tuple[int, ...], *, like: Any) -> list[Tensor | None]:
    """Initial flow as tensors (2, height, width), one for each pair; none without a flow.

    `shape` is that of a tensor; an array has its channels last. Raises TypeError and ValueError.
    """
    if flow is None:
        return []
    kind = Tensor if isinstance(like, Tensor) else np.ndarray
    if not isinstance(flow, kind):
        raise TypeError(f"initial_flow is of the kind of first, {kind.__name__}, got {type(flow).__name__}")
    wanted = shape if kind is Tensor else (*shape[:-3], *shape[-2:], 2)
    if tuple(flow.shape) != wanted:
        raise ValueError(f"initial_flow is {wanted}, got {tuple(flow.shape)}")
    if isinstance(flow, np.ndarray):
        flow = torch.from_numpy(np.array(np.moveaxis(flow, -1, -3), np.float32))
    return [*flow.detach().reshape(-1, *shape[-3:])]


def values_of(estimates: Sequence[Estimate], shape: tuple[int, ...], *, device: torch.device | None) -> dict[str, Any]:
    """The fields of a `Result`, on a device or as NumPy, for a batch of this shape."""

    def stacked(parts: Sequence[Tensor | None]) -> Any:
        known = [part for part in parts if part is not None]
        if not known:
            return None
        values = torch.stack(known)
        if device is not None:
            return values.to(device).reshape(*shape, *values.shape[1:])
        values = values.permute(0, 2, 3, 1) if values.ndim == 4 else values
        return values.contiguous().cpu().numpy().reshape(*shape, *values.shape[1:])

    forward, backward = (stacked([getattr(each, name) for each in estimates]) for name in ("forward", "backward"))
    return {
        "flow": backward if forward is None else forward,
        "backward": backward,
        "occlusion": stacked([estimate.occluded for estimate in estimates]),
        "iterations": max(estimate.iterations for estimate in estimates),
    }


def same(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Whether two images have the same pixels, on the same device."""
    if isinstance(one, DeviceImage) and isinstance(other, DeviceImage):
        return one.tensor.device == other.tensor.device and torch.equal(one.tensor, other.tensor)
    return isinstance(one, np.ndarray) and isinstance(other, np.ndarray) and np.array_equal(one, other)
