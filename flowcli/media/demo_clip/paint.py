"""The colours of the demo clip's layers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from flowcli.media.demo_clip import shapes
from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Points = NDArray[np.complex128]
    Values = NDArray[np.float64]
    Colours = NDArray[np.float32]

TEAL, SUNLIGHT = (0.12, 0.30, 0.35), (1.0, 0.60, 0.27)
WALNUT, OAK = (0.36, 0.19, 0.10), (0.78, 0.50, 0.27)
BRASS, STEEL, CREAM, RED = (0.83, 0.62, 0.27), (0.50, 0.54, 0.56), (0.93, 0.88, 0.74), (0.76, 0.15, 0.11)


def paint_wall(points: Points, scale: float) -> Colours:
    """The wall: rough plaster, lit through blinds, with the fan's shadow.

    As in the other paint functions, `points` is a grid of the layer's points, `scale` its texels per layer pixel;
    colours are (rows, columns, 3), about 0..1.
    """
    noise = _Noise(points, scale, seed=1)
    relief = noise.fractal(2.2, 5)
    lit = cv2.filter2D(relief, -1, np.array([[-1.0, 0, 0], [0, 0, 0], [0, 0, 1.0]])) * scale
    tone = 1 + 0.16 * noise.fractal(40, 4) + 0.09 * relief - 0.22 * np.clip(lit, -2, 2)
    slant = (points * np.exp(0.32j)).real, (points * np.exp(0.32j)).imag
    slats = _step(np.sin(slant[1] / 6.6) + 0.25, 0.35) * _step(100 - np.abs(slant[1] + 6), 7)
    panes = _step(np.abs(slant[0] + 20) - 5, 4) * _step(130 - np.abs(slant[0] + 20), 9)
    light = slats * panes * (0.75 + 0.1 * noise.fractal(60, 3))
    shadow = 0.5 * _step(120 - np.abs(points - complex(26, 6)), 45)
    glow = np.exp(-(np.abs(points - complex(-60, -60)) ** 2) / 190**2)
    colour = _fill(points, TEAL) * _column(0.75 + 0.55 * glow)
    colour = colour + _column(0.78 * light) * np.array(SUNLIGHT)
    return np.asarray(colour * _column(tone * (1 - shadow)), dtype=np.float32)


def paint_stand(points: Points, scale: float) -> Colours:
    """The stand: an oak table, dark base and pole, steel wires and a brass ring."""
    noise = _Noise(points, scale, seed=2)
    colour = _wood(points, noise, across=(points.imag - shapes.TABLE) * 2.4, along=points.real)
    colour *= _column(0.62 + 0.25 * np.exp(-(((points.real + 70) / 110) ** 2)))
    under = np.exp(
        -(((np.abs((points - shapes.BASE - 3j).real) / 62) ** 2 + ((points - shapes.BASE).imag / 13) ** 2) ** 2)
    )
    colour *= _column((1 - 0.75 * under) * (0.55 + 0.45 * _step(points.imag - shapes.TABLE - 2, 2)))
    colour = _over(
        colour, _fill(points, STEEL) * _column(0.85 + 0.25 * noise.fractal(3, 2)), shapes.cage_distance(points)
    )
    radius, angle = np.abs(points), np.angle(points)
    enamel = np.array((0.10, 0.12, 0.14))
    round_pole = 0.7 + 1.9 * np.exp(-(((points.real + 2) / 1.8) ** 2)) + 0.12 * noise.fractal(2.5, 3)
    colour = _over(colour, enamel * _column(round_pole), shapes.pole_distance(points))
    sheen = (points - shapes.BASE - complex(-14, -4)).real / 15
    foot = 0.8 + 1.6 * np.exp(-(sheen**2) - (((points - shapes.BASE).imag + 4) / 2.5) ** 2) + 0.15 * noise.fractal(3, 3)
    colour = _over(colour, enamel * _column(foot), shapes.base_distance(points))
    colour = _over(colour, enamel * _column(1 + 0.2 * noise.fractal(3, 3)), radius - shapes.MOTOR)
    torus = 0.45 + 0.75 * np.exp(-(((radius - shapes.RING + 0.8) / 1.5) ** 2))
    gleam = 0.75 + 0.35 * np.cos(angle * 2 + 2.2) + 0.25 * np.cos(angle * 5) + 0.12 * noise.fractal(2.5, 3)
    return _over(
        colour, np.array(BRASS) * _column(torus * gleam), np.abs(radius - shapes.RING) - shapes.RING_THICKNESS - 1
    )


def paint_rotor(points: Points, scale: float) -> Colours:
    """The rotor: wooden blades with brass leading edges and red and cream tips, and a brass hub."""
    noise = _Noise(points, scale, seed=3)
    radius, across, number = np.abs(points), shapes.blade_across(points), shapes.blade_number(points)
    leading, trailing = shapes.blade_edges(points)
    colour = _wood(points, noise, across=across + 50.0 * (number - 2), along=radius)
    colour *= _column(np.choose(number, [1.0, 0.82, 1.12, 0.9, 1.05]))
    colour = _over(colour, _fill(points, CREAM), 81 - radius)
    colour = _over(colour, _fill(points, RED), 86 - radius)
    colour = _over(colour, _fill(points, CREAM), np.abs(radius - 94.5) - 1.6)
    # A blade is cupped: brightest ahead of its middle line, darker towards the trailing edge.
    cup = 0.70 + 0.50 * np.exp(-(((across - 4) / 11) ** 2)) - 0.25 * np.exp(-((trailing / 5) ** 2))
    wear = 1 + 0.10 * noise.fractal(2.4, 3) + 0.08 * noise.fractal(14, 3)
    colour *= _column(cup * wear * (0.55 + 0.45 * _step(radius - 25, 7)))
    strip = 0.85 + 0.4 * np.exp(-(((leading + 1.6) / 1.1) ** 2)) + 0.14 * noise.fractal(2.5, 2)
    colour = _over(colour, np.array(BRASS) * _column(strip), np.maximum(-3.2 - leading, 34 - radius))
    colour = _sticker(colour, points, noise)
    return _hub(colour, points, noise)


def _hub(colour: Colours, points: Points, noise: _Noise) -> Colours:
    radius, angle = np.abs(points), np.angle(points)
    brushed = 0.72 + 0.30 * np.cos(2 * angle + 0.7) ** 2 + 0.10 * np.cos(9 * angle + 1) + 0.12 * noise.fractal(2.2, 3)
    dome = 1.1 - 0.45 * (radius / shapes.HUB) ** 2 - 0.5 * np.exp(-(((radius - 12) / 1.0) ** 2))
    colour = _over(colour, np.array(BRASS) * _column(brushed * dome), radius - shapes.HUB - 1)
    bolts = np.abs((points * np.exp(-0.3j)) ** shapes.BLADES - 16.3**shapes.BLADES) / (shapes.BLADES * 16.3**4)
    colour = _over(colour, _fill(points, (0.20, 0.15, 0.08)), bolts - 2.0)
    return _over(colour, _fill(points, RED) * _column(1.1 - 0.04 * radius), radius - 6.5)


def _sticker(colour: Colours, points: Points, noise: _Noise) -> Colours:
    """A round label with a star on one blade, which makes the rotation easy to follow."""
    place = points - 58 * np.exp(1j * (4 * math.pi / shapes.BLADES - 0.28))
    radius, angle = np.abs(place), np.angle(place)
    colour = _over(colour, _fill(points, CREAM) * _column(1 + 0.05 * noise.fractal(3, 2)), radius - 11.5)
    colour = _over(colour, _fill(points, (0.10, 0.30, 0.42)), radius - 10)
    star = radius * (1 + 0.36 * np.cos(5 * angle)) - 5.2
    return _over(colour, _fill(points, (0.97, 0.80, 0.30)), star)


def _wood(points: Points, noise: _Noise, *, across: Values, along: Values) -> Colours:
    """Wood grain that runs along one coordinate and varies across the other, both in pixels."""
    bend = noise.sampled(along / 9, across / 3.2, 3)
    rings = 0.5 + 0.5 * np.sin(across * 0.62 + 2.6 * bend)
    fibre = noise.sampled(along / 7, across * 1.1, 3)
    mix = np.clip(0.25 + 0.6 * rings + 0.22 * fibre, 0, 1)
    return np.asarray(_fill(points, WALNUT) * _column(1 - mix) + _fill(points, OAK) * _column(mix), dtype=np.float32)


class _Noise:
    """Smooth random fields over a grid of points: each call gives a new one, the same sequence for the same seed."""

    def __init__(self, points: Points, scale: float, *, seed: int) -> None:
        self.shape, self.scale = points.shape, scale
        self.random = np.random.default_rng(seed)

    def fractal(self, smallest: float, octaves: int) -> Values:
        """Noise of standard deviation 1 with cells of `smallest` layer pixels and larger, which have more weight."""
        total = np.zeros(self.shape, dtype=np.float32)
        for octave in range(octaves):
            cell = smallest * self.scale * 2**octave
            height, width = (max(2, math.ceil(extent / cell) + 1) for extent in self.shape)
            total += 1.35**octave * self._enlarged(height, width, self.shape)
        return np.asarray(total / total.std(), dtype=np.float64)

    def sampled(self, x: Values, y: Values, octaves: int) -> Values:
        """Noise of standard deviation 1 at coordinates within ±256, with cells of 2 and larger."""
        tile = np.zeros((512, 512), dtype=np.float32)
        for octave in range(octaves):
            tile += 1.35**octave * self._enlarged(256 >> octave, 256 >> octave, tile.shape)
        x_map, y_map = (np.asarray(axis + 256, dtype=np.float32) for axis in (x, y))
        found = cv2.remap(tile / tile.std(), x_map, y_map, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        return np.asarray(found, dtype=np.float64)

    def _enlarged(self, height: int, width: int, shape: tuple[int, ...]) -> Colours:
        coarse = self.random.standard_normal((height, width), dtype=np.float32)
        return np.asarray(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def _over(below: Colours, above: Colours, distance: Values) -> Colours:
    """`above` inside an outline, `below` outside, blended over one pixel at its edge."""
    coverage = _column(np.clip(0.5 - distance, 0, 1))
    return np.asarray(below + coverage * (above - below), dtype=np.float32)


def _step(values: Values, softness: float) -> Values:
    """A smooth step from 0 to 1 at zero, about `softness` wide on either side."""
    return np.asarray(1 / (1 + np.exp(-np.clip(values / softness * 3, -40, 40))))


def _fill(points: Points, colour: tuple[float, float, float]) -> Colours:
    return np.broadcast_to(np.array(colour, dtype=np.float32), (*points.shape, 3))


def _column(values: Values) -> Colours:
    return np.asarray(values, dtype=np.float32)[..., None]
