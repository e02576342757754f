"""Frames that are in memory already: arrays, tensors and PIL images, as a camera or another program makes them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence, Sized
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor

from flowcli.media.device_image import DeviceImage
from flowcli.media.frames import Frame
from flowcli.media.levels import UNIT, Levels, measured, of_bits
from flowcli.media.selection import renumbered, selected

if TYPE_CHECKING:
    from jaxtyping import UInt8
    from numpy.typing import NDArray

    from flowcli.media.levels import Mode
    from flowcli.media.selection import Selection

    Image = UInt8[NDArray[np.uint8], "height width 3"]

_DEEP = of_bits(16)
_OVERSHOOT = 0.25
"""How far values may be outside [0, 1] and are clipped: resampled images overshoot a little."""


class FramesInMemory:
    """The selected frames among those of an iterable; `frame_count` is None where it has no length.

    Frames count as `rate` per second. They are copied, so that a camera may use its memory again. `device` is that of
    the tensors, known once a frame was read; None for arrays and PIL images. Raises TypeError and ValueError, at once
    where all frames are there already, for what are no frames or differ in size.
    """

    def __init__(
        self, frames: Iterable[Any], *, rate: Fraction, selection: Selection, levels: Levels | Mode = "auto"
    ) -> None:
        known = None
        if isinstance(frames, Sized):
            # Some iterables learn only from what they wrap that they have no length.
            with contextlib.suppress(TypeError):
                known = len(frames)
        if isinstance(frames, np.ndarray | Tensor):
            _check_stack(frames)
        self.rate = rate
        self.frame_count = selection.count_of(known, rate)
        self.device: torch.device | None = None
        self._frames = frames
        self._selection = selection
        self._wanted = levels
        self._shown: Levels | None = None
        if known and isinstance(frames, Sequence):
            samples_of(frames[0], "frame 0", levels=levels)

    def frames(self) -> Iterator[Frame]:
        """The frames, which are taken from the iterable when they are asked for."""
        return renumbered(selected(self._all_frames(), self._selection))

    def _all_frames(self) -> Iterator[Frame]:
        size = None
        for index, frame in enumerate(self._frames):
            samples = samples_of(frame, f"frame {index}", levels=self._wanted)
            if index == 0:
                self.device = frame.device if isinstance(frame, Tensor) else None
                self._shown = levels_of(samples, wanted=self._wanted)
            image = image_of(samples, self._shown)
            if image.shape != (size or image.shape):
                raise ValueError(f"frame {index} is {image.shape}, but the first is {size}")
            size = image.shape
            yield Frame(index, index / self.rate, image)


def samples_of(value: object, what: str, *, levels: Levels | Mode = "auto") -> NDArray[Any] | Tensor:
    """The samples of one frame: (height, width) or (height, width, channels); of a tensor on a device channels first.

    Raises TypeError for what is no frame of uint8, uint16 or floating point, and ValueError for other shapes and for
    floating-point values that are not from 0 to 1, unless `levels` are given; both start with `what`.
    """
    if isinstance(value, Tensor):
        value = value.detach()
        if value.ndim not in {2, 3} or 0 in value.shape or (value.ndim == 3 and value.shape[0] not in {1, 3, 4}):
            raise ValueError(f"{what}: a tensor of a frame is (3, height, width), got {tuple(value.shape)}")
        if value.device.type == "cpu":
            value = value.float() if value.is_floating_point() else value
            return samples_of((value if value.ndim == 2 else value.permute(1, 2, 0)).numpy(), what, levels=levels)
        samples: NDArray[Any] | Tensor = value if value.ndim == 3 else value[None]
    else:
        samples = _array_of(value, what)
    name = str(samples.dtype).removeprefix("torch.")
    if name not in {"uint8", "uint16"} and not name.startswith(("float", "bfloat")):
        raise TypeError(f"{what}: a frame is uint8, uint16 or floating point from 0 to 1, got {name}")
    if "float" in name and not isinstance(levels, Levels):
        low, high = float(samples.min()), float(samples.max())
        if not -_OVERSHOOT <= low <= high <= 1 + _OVERSHOOT:
            raise ValueError(f"{what}: floating-point frames are from 0 to 1, got values from {low:g} to {high:g}")
    return samples


def levels_of(*frames: NDArray[Any] | Tensor, wanted: Levels | Mode = "auto") -> Levels | None:
    """The values that are shown as black and white, those `wanted`, or of uint16 as for image files; None for all."""
    if wanted != "auto":
        return wanted if isinstance(wanted, Levels) else None
    deep = [samples for samples in frames if str(samples.dtype).endswith("uint16")]
    arrays = (samples.int().cpu().numpy() if isinstance(samples, Tensor) else samples for samples in deep)
    return measured(arrays, full=_DEEP) if deep else None


def image_of(samples: NDArray[Any] | Tensor, levels: Levels | None = None) -> Image:
    """The samples of a frame as 8-bit RGB, a copy; grey is repeated and alpha dropped. Tensors give a DeviceImage."""
    deep = str(samples.dtype).endswith("uint16")
    levels = levels or (_DEEP if deep else UNIT)
    if isinstance(samples, Tensor):
        rgb = samples[:3].expand(3, -1, -1) if len(samples) == 1 else samples[:3]
        if rgb.dtype != torch.uint8:
            rgb = ((rgb.float() - levels.low) / levels.span).clamp(0, 1).mul(255).round().byte()
        return cast("Image", DeviceImage(rgb.clone()))
    if samples.ndim == 3:
        samples = samples[..., 0] if samples.shape[2] == 1 else samples[..., :3]
    if samples.dtype == np.uint8:
        return np.array(samples if samples.ndim == 3 else np.repeat(samples[..., None], 3, axis=2), order="C")
    return levels.apply(samples)


def _array_of(value: object, what: str) -> NDArray[Any]:
    """An array, of another library too, or a PIL image as an array of grey, RGB or RGBA samples."""
    mode = getattr(value, "mode", None)
    if isinstance(mode, str) and hasattr(value, "convert"):
        plain = mode in {"L", "RGB", "RGBA", "F"} or mode.startswith("I")
        value = np.asarray(value if plain else value.convert("RGB"))
        value = value.astype(np.uint16) if mode.startswith("I") else value
    elif hasattr(value, "__array__"):
        value = np.asarray(value)
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{what}: a frame is an array, a tensor or a PIL image, got {type(value).__name__}")
    if value.ndim not in {2, 3} or 0 in value.shape or (value.ndim == 3 and value.shape[2] not in {1, 3, 4}):
        raise ValueError(f"{what}: a frame is (height, width, 3), got {value.shape}")
    # Files of other machines have their own order of bytes.
    return value.astype(value.dtype.newbyteorder("="), copy=False)


def _check_stack(frames: NDArray[Any] | Tensor) -> None:
    """Raises ValueError for an array or tensor that is not one of frames."""
    if isinstance(frames, Tensor):
        if frames.ndim != 4:
            raise ValueError(f"a tensor of frames is (frames, 3, height, width), got {tuple(frames.shape)}")
    elif frames.ndim != 4 and (frames.ndim != 3 or frames.shape[2] in {1, 3, 4}):
        raise ValueError(f"an array of frames is (frames, height, width, 3), got {frames.shape}")
