"""What a user asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Request:
    """What a user asked for, as spelled on the command line; `name` is what outputs are called, if not by the input."""

    inputs: tuple[Path, ...]
    output: Path | None
    save: str
    weights: str = "raft-small"
    iterations: str = "12"
    tolerance: float = 0.1
    direction: str = "forward"
    occlusion_relative: float = 0.01
    occlusion_absolute: float = 0.5
    device: str = "auto"
    precision: str = "auto"
    memory: str | None = None
    max_side: int | None = None
    scale: float = 1.0
    max_flow: str = "auto"
    scale_mode: str = "video"
    gamma: float = 1.0
    background: str = "white"
    legend: bool = False
    arrow_grid: int | None = None
    arrow_min: float = 0.5
    half: bool = False
    codec: str = "h264"
    crf: int | None = None
    preset: str | None = None
    pixel_format: str | None = None
    audio: bool = False
    overwrite: bool = False
    warm_start: bool = False
    batch: str = "auto"
    skip: int = 1
    sliding: bool = False
    start: str | None = None
    end: str | None = None
    max_frames: int | None = None
    fps: str | None = None
    deinterlace: bool = False
    resume: bool = False
    segment: int = 64
    split: int | None = None
    name: str | None = None
