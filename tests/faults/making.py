"""Small videos and images to damage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np


def picture(width: int = 64, height: int = 48, *, shift: int = 0) -> np.ndarray:
    """Smooth noise that moves to the right by `shift` pixels."""
    noise = np.random.default_rng(0).integers(0, 255, (height // 4 + 2, width // 4 + 2, 3), np.uint8)
    return np.roll(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), shift, axis=1)


def clip(
    name: str,
    *,
    frames: int = 12,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    codec_options: dict[str, str] | None = None,
    pts: Sequence[int] | None = None,
    tick: Fraction = Fraction(1, 25),
    prepare: Callable[[Any], None] | None = None,
    container_format: str | None = None,
) -> Path:
    """Writes a video of moving noise; by default, every second frame is a key frame."""
    with av.open(name, "w", options=options or {}, format=container_format) as container:
        settings = codec_options if codec_options is not None else {"g": "2", "bf": "0"}
        stream: Any = container.add_stream(codec, rate=Fraction(25), options=settings)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.codec_context.time_base = tick
        if prepare:
            prepare(stream)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(*size, shift=number), format="rgb24")
            frame.pts, frame.time_base = (pts[number] if pts else number), tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return Path(name)


def still(name: str, *, size: tuple[int, int] = (64, 48), shift: int = 0, image: np.ndarray | None = None) -> Path:
    """Writes an image in the format of its extension."""
    shown = picture(*size, shift=shift) if image is None else image
    Path(name).write_bytes(cv2.imencode(Path(name).suffix, shown)[1].tobytes())
    return Path(name)


def truncate(path: str, fraction: float) -> None:
    """Keeps only the first `fraction` of a file."""
    data = Path(path).read_bytes()
    Path(path).write_bytes(data[: int(len(data) * fraction)])


def overwrite(path: str, start: float, length: int, value: bytes = b"\0") -> None:
    """Overwrites `length` bytes of a file, from the fraction `start` of it on."""
    data = bytearray(Path(path).read_bytes())
    offset = int(len(data) * start)
    data[offset : offset + length] = (value * length)[:length]
    Path(path).write_bytes(bytes(data))
