"""The samples of frames of grey or RGB with more than 8 bits, as stored."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from flowcli.media.levels import UNIT, Levels, of_bits
from flowcli.media.pyav.hdr import is_hdr

if TYPE_CHECKING:
    from typing import Any

    from jaxtyping import Shaped
    from numpy.typing import NDArray

_LAYOUT = re.compile(r"(gray|ya|gbrap|gbrp|rgba|bgra|rgb|bgr)(f?)(\d+)(le|be)")
# The place of red, green and blue among the channels, or of grey.
_CHANNELS = {
    "gray": (0,), "ya": (0,), "gbrp": (2, 0, 1), "gbrap": (2, 0, 1), "rgb": (0, 1, 2), "rgba": (0, 1, 2),
    "bgr": (2, 1, 0), "bgra": (2, 1, 0),
}  # fmt: skip


def is_deep(frame: Any) -> bool:
    """Whether a PyAV frame is of grey or RGB with more than 8 bits, which `samples_of` reads, and not HDR."""
    layout = _LAYOUT.fullmatch(frame.format.name)
    return layout is not None and frame.format.components[0].bits > 8 and not is_hdr(frame)


def is_not_converted(frame: Any) -> bool:
    """Whether FFmpeg has no conversion for a deep frame; for grey of floating point with alpha, it ends the process."""
    kind, is_float, *_ = _LAYOUT.fullmatch(frame.format.name).groups()  # type: ignore[union-attr]
    bits = frame.format.components[0].bits
    return bool(kind == "ya" and is_float) or (bits == 32 and (not is_float or kind == "rgba"))


def full_range(frame: Any) -> Levels:
    """The range that the samples of a deep frame may use."""
    return UNIT if _LAYOUT.fullmatch(frame.format.name)[2] else of_bits(frame.format.components[0].bits)  # type: ignore[index]


def samples_of(frame: Any) -> Shaped[NDArray[Any], "height width *channels"]:
    """The grey or RGB samples of a deep frame, without alpha; whole numbers are aligned to 0."""
    kind, is_float, _, order = _LAYOUT.fullmatch(frame.format.name).groups()  # type: ignore[union-attr]
    bits = frame.format.components[0].bits
    dtype = np.dtype(f"{'<' if order == 'le' else '>'}{'f' if is_float else 'u'}{2 if bits <= 16 else 4}")
    planar = kind.startswith("gb")
    width = 1 if planar or kind == "gray" else {"ya": 2, "rgb": 3, "bgr": 3}.get(kind, 4)
    planes = [_plane(plane, dtype, frame, width) for plane in frame.planes]
    channels = [planes[place][..., 0] if planar else planes[0][..., place] for place in _CHANNELS[kind]]
    samples = channels[0] if len(channels) == 1 else np.stack(channels, axis=-1)
    return np.ascontiguousarray(samples, np.float32 if is_float else dtype.newbyteorder("="))


def _plane(plane: Any, dtype: np.dtype[Any], frame: Any, channels: int) -> NDArray[Any]:
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height]
    values = rows[:, : frame.width * channels * dtype.itemsize].copy().view(dtype)
    return values.reshape(frame.height, frame.width, channels)
