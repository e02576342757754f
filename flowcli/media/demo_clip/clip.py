"""Frames of a fan that turns in front of a drifting wall, and the exact flow of every pair.

Three rigid layers, each an analytic shape that moves by a similarity: the wall; the stand with its cage and the table;
the turning blades. Points are complex numbers x + iy (y down), so a similarity is `origin + factor · point`.
Layer coordinates are pixels of a frame 288 high, with the fan's axle (for the wall, the frame's centre) at 0.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from flowcli.media.demo_clip.paint import paint_rotor, paint_stand, paint_wall
from flowcli.media.demo_clip.shapes import rotor_distance, stand_distance
from flowcli.media.frames import Frame
from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    Points = NDArray[np.complex128]
    Distance = Callable[[Points], NDArray[np.float64]]

FAN_RATE = Fraction(24)
TURN = 0.12  # radians per frame: 12 px at the tips
AXLE = complex(0, -22)  # from the frame's centre
TEXELS = 1.5  # per frame pixel, so that turning a texture neither blurs nor aliases it


@dataclass(frozen=True)
class Motion:
    """A similarity from a layer's coordinates to those of a frame."""

    origin: complex
    factor: complex

    def to_frame(self, points: Points) -> Points:
        """The positions in the frame of points of the layer."""
        return self.origin + self.factor * points

    def to_layer(self, points: Points) -> Points:
        """The points of the layer at positions in the frame."""
        return (points - self.origin) / self.factor


@dataclass(frozen=True, eq=False)
class FanGroundTruth:
    """Exact flow (height, width, 2) float32 in px, and a mask of the first frame's pixels visible in the second."""

    flow: NDArray[np.float32]
    visible: NDArray[np.bool_]


def fan_frames(count: int = 24, height: int = 288, width: int = 384) -> Iterator[Frame]:
    """The first `count` frames of the clip, `FAN_RATE` per second; deterministic."""
    yield from fan_frames_at(range(count), height, width)


def fan_frames_at(indices: Iterable[int], height: int = 288, width: int = 384) -> Iterator[Frame]:
    """The frames of the clip at some indices; the others are not drawn."""
    scale = TEXELS * height / 288
    half = complex(width / height, 1) * 144
    layers = [
        _Painted(paint_wall, 1.1 * half + complex(45, 20), scale),
        _Painted(paint_stand, 1.2 * half - AXLE, scale),
        _Painted(paint_rotor, complex(106, 106), scale),
    ]
    for index in indices:
        yield Frame(index, index / FAN_RATE, _render(layers, index, height, width))


def fan_flow(index: int, skip: int = 1, *, height: int = 288, width: int = 384) -> FanGroundTruth:
    """The ground truth from frame `index` to frame `index + skip`; a pixel moves with the layer at its centre."""
    pixels = _pixels(height, width)
    before, after = _motions(index, height, width), _motions(index + skip, height, width)
    layer = _top_layer(pixels, before)
    ends = np.choose(layer, [end.to_frame(start.to_layer(pixels)) for start, end in zip(before, after, strict=True)])
    inside = (ends.real >= 0) & (ends.real <= width - 1) & (ends.imag >= 0) & (ends.imag <= height - 1)
    moved = ends - pixels
    flow = np.stack([moved.real, moved.imag], axis=-1).astype(np.float32)
    return FanGroundTruth(flow, inside & (_top_layer(ends, after) == layer))


def _motions(index: int, height: int, width: int) -> list[Motion]:
    """The motions of wall, stand and rotor: the camera sways and zooms slightly, and nearer layers move more."""
    unit = height / 288
    middle = complex(width - 1, height - 1) / 2
    swing = math.sin((index - 12) / 20)
    shake = complex(3 * math.sin(index / 9), 2 * math.sin(index / 7))
    wall = Motion(middle + unit * (complex(-34, 6) * swing + 0.5 * shake), unit * (1 + 0.012 * swing))
    axle = middle + unit * ((1 + 0.03 * swing) * AXLE + complex(-5, 0) * swing + shake)
    stand = Motion(axle, unit * (1 + 0.03 * swing))
    return [wall, stand, Motion(axle, stand.factor * cmath.exp(1j * TURN * index))]


def _pixels(height: int, width: int) -> Points:
    return np.asarray(np.arange(width)[None, :] + 1j * np.arange(height)[:, None], dtype=np.complex128)


def _top_layer(points: Points, motions: list[Motion]) -> NDArray[np.int64]:
    layer = np.zeros(points.shape, dtype=np.int64)
    for number, distance in enumerate((stand_distance, rotor_distance), start=1):
        layer[distance(motions[number].to_layer(points)) < 0] = number
    return layer


class _Painted:
    """A layer's colours, computed once on a grid of texels around its origin."""

    def __init__(self, paint: Callable[[Points, float], NDArray[np.float32]], half: complex, scale: float) -> None:
        rows, columns = math.ceil(half.imag * scale), math.ceil(half.real * scale)
        self.middle, self.scale = complex(columns, rows), scale
        points = (_pixels(2 * rows + 1, 2 * columns + 1) - self.middle) / scale
        # Detail finer than the frame's pixels would alias as it moves.
        self.texels = cv2.GaussianBlur(paint(points, scale), (0, 0), 0.45 * TEXELS)

    def rendered(self, motion: Motion, height: int, width: int) -> NDArray[np.float32]:
        """The layer's colours (height, width, 3) in a frame."""
        turn = self.scale / motion.factor
        shift = self.middle - turn * motion.origin
        matrix = np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        colours = cv2.warpAffine(self.texels, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
        return np.asarray(colours, dtype=np.float32)


def _render(layers: list[_Painted], index: int, height: int, width: int) -> NDArray[np.uint8]:
    motions = _motions(index, height, width)
    pixels = _pixels(height, width)
    image = layers[0].rendered(motions[0], height, width)
    for layer, motion, distance in zip(layers[1:], motions[1:], (stand_distance, rotor_distance), strict=True):
        edge = distance(motion.to_layer(pixels)) * abs(motion.factor)
        coverage = np.clip(0.5 - edge, 0, 1).astype(np.float32)[..., None]
        image += coverage * (layer.rendered(motion, height, width) - image)
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
