"""Outlines of generated objects as functions: ellipses, polygons, blobs, rings and poles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from flowcli.training.synthesis.batched import Batched, Dice

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

_ANGLES = 256
_SPOKES = 16
_HOLES = 3


@dataclass(frozen=True, eq=False)
class Shapes(Batched):
    """One outline per scene and layer, in pixels of the first frame.

    `to_unit` maps offsets from `center` to unit coordinates, where the outline has `radius` at each of 256 angles (and
    at the first again); `reach` is half the size of its bounding box. A ring is empty within `ring` times its radius.
    Holes are discs (x, y, radius), absent where the radius is negative. `softness` is the width of the edge in px.
    The outline of a cut-out is its opacity over the unit square; of the other fields only the pose is used.
    """

    center: Float[Tensor, "scenes layers 2"]
    to_unit: Float[Tensor, "scenes layers 2 2"]
    reach: Float[Tensor, "scenes layers 2"]
    radius: Float[Tensor, "scenes layers angles"]
    ring: Float[Tensor, "scenes layers"]
    holes: Float[Tensor, "scenes layers 3 3"]
    softness: Float[Tensor, "scenes layers"]
    is_cutout: Bool[Tensor, "scenes layers"]


def draw_shapes(
    dice: Dice, is_cutout: Bool[Tensor, "scenes layers"], particles: Bool[Tensor, " scenes"], *, height: int, width: int
) -> Shapes:
    """Draws the size, position and outline of every layer; objects are much smaller in scenes of `particles`."""
    lead = tuple(is_cutout.shape)
    size = min(height, width) * dice.log_uniform(0.06, 0.5, *lead)
    size = torch.where(particles[:, None], dice.log_uniform(1.0, 6, *lead), size)
    center = torch.stack([dice.uniform(-0.1, 1.1, *lead) * width, dice.uniform(-0.1, 1.1, *lead) * height], -1)
    thin = dice.chance(0.2, *lead) & ~is_cutout
    aspect = torch.where(is_cutout, dice.log_uniform(0.85, 1.18, *lead), dice.log_uniform(0.6, 1.6, *lead))
    along = torch.where(thin, size * dice.uniform(1, 2, *lead), size * aspect.sqrt())
    across = torch.where(thin, along * dice.uniform(0.05, 0.08, *lead), size / aspect.sqrt())
    across = across.clamp(min=1.0)
    upright = is_cutout & dice.chance(0.6, *lead)
    angle = dice.uniform(-math.pi, math.pi, *lead) * torch.where(upright, 0.08, 1.0)
    mirrored = torch.where(dice.chance(0.5, *lead), -1.0, 1.0)
    radius = _draw_radius(dice, lead)
    cos, sin = angle.cos(), angle.sin()
    to_unit = torch.stack([cos / along * mirrored, sin / along * mirrored, -sin / across, cos / across], -1)
    reach_x, reach_y = (along * cos).abs() + (across * sin).abs(), (along * sin).abs() + (across * cos).abs()
    widest = torch.where(is_cutout, 1.0, radius.amax(-1))
    holed = dice.chance(0.4, *lead) & ~thin
    return Shapes(
        center=center,
        to_unit=to_unit.view(*lead, 2, 2),
        reach=torch.stack([reach_x, reach_y], -1) * widest[..., None],
        radius=radius,
        ring=torch.where(dice.chance(0.08, *lead) & ~thin, dice.uniform(0.4, 0.85, *lead), -1.0),
        holes=_draw_holes(dice, center, size, holed),
        softness=torch.ones(lead, dtype=torch.float64),
        is_cutout=is_cutout,
    )


def coverage(
    shape: Shapes, points: Float[Tensor, "batch 2 height width"], local: Float[Tensor, "batch 2 height width"]
) -> Float[Tensor, "batch 1 height width"]:
    """The covered fraction (0 to 1) of each pixel, for one layer; `local` is `unit_coordinates(shape, points)`."""
    x, y = local[:, 0], local[:, 1]
    squared = (x * x + y * y).clamp(min=1e-8)
    distance = squared.sqrt()
    turn = torch.atan2(y, x) * (_ANGLES / (2 * math.pi)) % _ANGLES
    entry = turn.long().clamp(max=_ANGLES - 1)
    flat = entry.flatten(1)
    here = shape.radius.gather(1, flat).view_as(x)
    slope = shape.radius.gather(1, flat + 1).view_as(x) - here
    radius = here + slope * (turn - entry)
    ring = shape.ring[:, None, None]
    inside = torch.minimum(radius - distance, distance - ring * radius)
    # Division by the gradient of (radius - distance) converts unit coordinates to pixels.
    slope = slope * (_ANGLES / (2 * math.pi)) / squared
    along, across = -slope * y - x / distance, slope * x - y / distance
    a, b, c, d = (entry[:, None, None] for entry in shape.to_unit.flatten(1).unbind(1))
    pixels = inside / torch.hypot(a * along + c * across, b * along + d * across).clamp(min=1e-8)
    for hole in shape.holes.unbind(1):
        hole_x, hole_y, hole_radius = (value[:, None, None] for value in hole.unbind(1))
        pixels = torch.minimum(pixels, torch.hypot(points[:, 0] - hole_x, points[:, 1] - hole_y) - hole_radius)
    return (pixels / shape.softness[:, None, None] + 0.5).clamp(0, 1)[:, None]


def unit_coordinates(
    shape: Shapes, points: Float[Tensor, "batch 2 height width"]
) -> Float[Tensor, "batch 2 height width"]:
    """The unit coordinates of points, for one layer."""
    x = points[:, 0] - shape.center[:, 0, None, None]
    y = points[:, 1] - shape.center[:, 1, None, None]
    a, b, c, d = (entry[:, None, None] for entry in shape.to_unit.flatten(1).unbind(1))
    return torch.stack([a * x + b * y, c * x + d * y], 1)


def _draw_radius(dice: Dice, lead: tuple[int, ...]) -> Float[Tensor, "scenes layers angles"]:
    """Radii of polygons with 3 to 16 corners, a third of them smoothed, and of circles."""
    corners = dice.whole(3, _SPOKES, *lead)[..., None]
    place = torch.arange(_SPOKES) + dice.uniform(-0.2, 0.2, *lead, _SPOKES)
    angles = place.clamp(min=0) * 2 * math.pi / corners
    # Unused spokes have angles beyond a full turn, which the search below never finds.
    angles = torch.where(torch.arange(_SPOKES) < corners, angles, 100.0)
    lengths = dice.uniform(0.3, 1.3, *lead, _SPOKES)
    regular = dice.chance(0.25, *lead)[..., None]
    lengths = torch.where(regular, lengths.mean(-1, keepdim=True), lengths)
    theta = (torch.arange(_ANGLES, dtype=torch.float64) * 2 * math.pi / _ANGLES).expand(*lead, _ANGLES).contiguous()
    found = torch.searchsorted(angles, theta, right=True)
    before, after = (found - 1) % corners, found % corners
    from_angle, to_angle = angles.gather(-1, before), angles.gather(-1, after)
    from_angle = torch.where(from_angle > theta, from_angle - 2 * math.pi, from_angle)
    to_angle = torch.where(to_angle <= theta, to_angle + 2 * math.pi, to_angle)
    near, far = lengths.gather(-1, before), lengths.gather(-1, after)
    crossing = near * (theta - from_angle).sin() + far * (to_angle - theta).sin()
    polygon = near * far * (to_angle - from_angle).sin() / crossing.clamp(min=1e-6)
    # A circular Gaussian blur over the angle, as a product in the frequency domain.
    blur = torch.where(dice.chance(0.33, *lead), dice.uniform(6, 14, *lead), 0.0)[..., None]
    frequency = torch.arange(_ANGLES // 2 + 1) * 2 * math.pi / _ANGLES
    smooth = torch.fft.irfft(torch.fft.rfft(polygon) * (-0.5 * (frequency * blur) ** 2).exp(), n=_ANGLES)
    radius = torch.where(dice.chance(0.3, *lead)[..., None], 1.0, smooth.clamp(0.05, 1.5))
    return torch.cat([radius, radius[..., :1]], -1)


def _draw_holes(
    dice: Dice, center: Float[Tensor, "scenes layers 2"], size: Tensor, holed: Tensor
) -> Float[Tensor, "scenes layers holes 3"]:
    lead = tuple(size.shape)
    places = center[..., None, :] + dice.uniform(-0.6, 0.6, *lead, _HOLES, 2) * size[..., None, None]
    radii = dice.uniform(0.05, 0.35, *lead, _HOLES) * size[..., None] + 1
    present = holed[..., None] & (torch.arange(_HOLES) < dice.whole(1, _HOLES, *lead)[..., None])
    return torch.cat([places, torch.where(present, radii, -1e4)[..., None]], -1)
