"""The outlines of the fan as signed distances in pixels: negative inside, 0 on the edge."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Points = NDArray[np.complex128]
    Values = NDArray[np.float64]

BLADES = 5
TIP = 100.0
ROOT = 14.0
HUB = 21.0
LEADING, TRAILING = 15.0, 24.0  # a blade's greatest reach before and behind its middle line
RING = 109.0
RING_THICKNESS = 3.2
CAGE_RINGS = (46.0, 78.0)
CAGE_WIRES = 20
MOTOR = 30.0
TABLE = 139.0
BASE = complex(0, 137)


def rotor_distance(points: Points) -> Values:
    """Signed distance from blades and hub."""
    radius = np.abs(points)
    leading, trailing = blade_edges(points)
    blades = np.maximum(np.maximum(leading, trailing), radius - TIP)
    return np.minimum(np.maximum(blades, ROOT - radius), radius - HUB)


def stand_distance(points: Points) -> Values:
    """Signed distance from table, base, pole, motor, cage and the cage's outer ring."""
    radius = np.abs(points)
    ring = np.abs(radius - RING) - RING_THICKNESS
    solid = np.minimum(np.minimum(table_distance(points), pole_distance(points)), base_distance(points))
    return np.minimum(np.minimum(solid, radius - MOTOR), np.minimum(ring, cage_distance(points)))


def table_distance(points: Points) -> Values:
    """Signed distance from the table: everything below its far edge."""
    return TABLE - points.imag


def pole_distance(points: Points) -> Values:
    """Signed distance from the pole between motor and base, which widens downwards."""
    return np.maximum(np.abs(points.real) - 4.5 - 0.02 * points.imag, np.maximum(-points.imag, points.imag - BASE.imag))


def base_distance(points: Points) -> Values:
    """Signed distance from the base, an ellipse, to first order."""
    away = points - BASE
    half_width, half_height = 46.0, 8.5
    level = np.hypot(away.real / half_width, away.imag / half_height)
    slope = np.hypot(away.real / half_width**2, away.imag / half_height**2)
    return np.asarray((level - 1) * level / np.maximum(slope, 1e-6))


def cage_distance(points: Points) -> Values:
    """Signed distance from the wires behind the blades: spokes and two rings."""
    radius = np.abs(points)
    step = 2 * math.pi / CAGE_WIRES
    angle = np.angle(points)
    spokes = radius * np.abs(angle - step * np.round(angle / step)) - 0.8
    rings = np.minimum(np.abs(radius - CAGE_RINGS[0]), np.abs(radius - CAGE_RINGS[1])) - 0.8
    return np.maximum(np.minimum(spokes, rings), radius - RING)


def blade_number(points: Points) -> NDArray[np.int64]:
    """The number, from 0, of the blade nearest to each point."""
    turned = np.angle(points) - _sweep(np.abs(points))
    return np.round(turned * (BLADES / (2 * math.pi))).astype(np.int64) % BLADES


def blade_across(points: Points) -> Values:
    """Signed distance from the nearest blade's middle line, along the circle, positive in the direction of rotation."""
    radius = np.abs(points)
    turned = np.angle(points) - _sweep(radius)
    step = 2 * math.pi / BLADES
    return np.asarray(radius * (turned - step * np.round(turned / step)))


def blade_edges(points: Points) -> tuple[Values, Values]:
    """Signed distances from the nearest blade's leading and trailing edge, to first order."""
    radius, across = np.abs(points), blade_across(points)
    leading, trailing = LEADING * _fullness(radius), TRAILING * _fullness(radius)
    return (across - leading) * _steepness(radius, LEADING), (-trailing - across) * _steepness(radius, -TRAILING)


def _sweep(radius: Values) -> Values:
    """The angle of a blade's middle line at a radius, in radians."""
    return np.asarray(-0.6 * (radius / TIP) ** 1.4)


def _fullness(radius: Values) -> Values:
    """A blade's relative width at a radius: narrow at the hub, round at the tip."""
    along = np.clip((radius - ROOT) / (TIP - ROOT), 0, 1)
    rise = np.clip(along / 0.6, 0, 1)
    return np.asarray((0.42 + 0.58 * rise * rise * (3 - 2 * rise)) * np.sqrt(1 - along**7))


def _steepness(radius: Values, width: float) -> Values:
    """The factor from a distance along the circle to one perpendicular to the edge: the cosine of the edge's slope."""
    step = 0.25

    def angle(radius: Values) -> Values:
        return np.asarray(_sweep(radius) + width * _fullness(radius) / np.maximum(radius, 1))

    lean = radius * (angle(radius + step) - angle(np.maximum(radius - step, 0))) / (2 * step)
    return np.asarray(1 / np.hypot(1, lean))
