"""Draws the motion of the camera and the objects of generated scenes, mostly small, sometimes large."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from flowcli.training.synthesis.motions import Motions, project

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from torch import Tensor

    from flowcli.training.synthesis.backdrops import Backdrops
    from flowcli.training.synthesis.batched import Dice
    from flowcli.training.synthesis.settings import SceneSettings
    from flowcli.training.synthesis.shapes import Shapes

GENERAL, STATIC, SUBPIXEL, SIDEWAYS, APPROACHING = range(5)
_NODES = 17
_STEEPEST = 0.4
_REFERENCE_HEIGHT = 288


def draw_kinds(dice: Dice, settings: SceneSettings, count: int) -> Int[Tensor, " scenes"]:
    """Draws the kind of motion of each scene: `GENERAL` to `APPROACHING`."""
    shares = torch.tensor(
        [settings.static, settings.subpixel, settings.sideways, settings.approaching], dtype=torch.float64
    )
    kind = 1 + torch.searchsorted(shares.cumsum(0), dice.uniform(0, 1, count), right=True)
    return kind % 5


def draw_motions(
    dice: Dice,
    settings: SceneSettings,
    shapes: Shapes,
    kinds: Int[Tensor, " scenes"],
    backdrops: Backdrops,
    *,
    height: int,
    width: int,
) -> Motions:
    """Draws the motion of every layer; layer 0, the background, has the camera's motion, or none if it is still."""
    scenes, layers = shapes.center.shape[:2]
    unit = min(height, width) / _REFERENCE_HEIGHT
    gain = dice.log_uniform(0.08, 8, scenes, 1)
    middle = torch.tensor([width / 2, height / 2], dtype=torch.float64)
    camera = _draw_camera(dice, kinds, gain[:, 0], middle, unit)
    camera = camera @ _draw_roll(dice, settings, scenes, middle)
    camera = torch.where(backdrops.still[:, None, None], torch.eye(3, dtype=torch.float64), camera)
    own = _draw_similarity(dice, shapes.center, gain, shift=(7 * unit, 5 * unit), turn=0.06, zoom=0.05, power=1.8)
    resting = dice.chance(0.15, scenes, layers) | (backdrops.followed[:, None] & dice.chance(0.7, scenes, layers))
    own = torch.where(resting[..., None, None], torch.eye(3, dtype=torch.float64), own)
    farthest = torch.where(kinds == SUBPIXEL, dice.uniform(0.05, 0.45, scenes), 0.6 * max(height, width))
    camera = _limit_displacement(camera[:, None], middle, middle, farthest[:, None])
    own = _limit_displacement(own, shapes.center, shapes.reach, farthest[:, None])
    carried = dice.chance(settings.carried, scenes, layers) | (
        (kinds == APPROACHING)[:, None] & dice.chance(0.8, scenes, layers)
    )
    carried |= backdrops.followed[:, None]
    own = _join(own, dice.chance(settings.joined, scenes, layers))
    own = _limit_displacement(own, shapes.center, shapes.reach, farthest[:, None])
    matrix = torch.where(carried[..., None, None], camera @ own, own)
    matrix[:, 0] = camera[:, 0]
    sideways = _draw_sideways(dice, shapes, unit)
    sideways[:, 0] = torch.where(backdrops.still[:, None, None], torch.eye(3, dtype=torch.float64), sideways[:, 0])
    matrix = torch.where((kinds == SIDEWAYS)[:, None, None, None], sideways, matrix)
    matrix = torch.where((kinds == STATIC)[:, None, None, None], torch.eye(3, dtype=torch.float64), matrix)
    bends = dice.chance(settings.bent, scenes, layers) & ((kinds != STATIC) & ~backdrops.particles)[:, None]
    # The deformation of a plain background could not be seen.
    bends[:, 0] &= ~(backdrops.still | backdrops.plain)
    strength = dice.log_uniform(0.3, 4, scenes, layers) * unit * gain.clamp(max=1.5)
    strength = torch.where((kinds == SUBPIXEL)[:, None], strength.clamp(max=0.08), strength) * bends
    extent = shapes.reach * 1.2 + 4
    bend = _draw_bend(dice, strength, extent)
    bend[:, :, 1] *= (kinds != SIDEWAYS)[:, None, None, None]
    return Motions(
        matrix=matrix,
        inverse=torch.linalg.inv(matrix),
        bend=bend,
        bend_center=shapes.center,
        bend_extent=extent,
        bends=bends,
    )


def _draw_camera(
    dice: Dice,
    kinds: Int[Tensor, " scenes"],
    gain: Float[Tensor, " scenes"],
    middle: Float[Tensor, " axes"],
    unit: float,
) -> Float[Tensor, "scenes 3 3"]:
    """The camera's motion: a similarity with slight perspective; for `APPROACHING`, a zoom with strong perspective."""
    scenes = len(kinds)
    center = middle.expand(scenes, 2)
    general = _draw_similarity(dice, center, gain, shift=(5 * unit, 3 * unit), turn=0.02, zoom=0.03, power=1.7)
    tilt = dice.normal(1.5e-4 / unit, scenes, 2) * dice.chance(0.3, scenes)[:, None] * gain.clamp(max=1.5)[:, None]
    approaching = (kinds == APPROACHING)[:, None, None]
    around = center + dice.normal(0.08, scenes, 2) * middle
    zoom = dice.uniform(0.03, 0.25, scenes).exp() ** torch.where(dice.chance(0.85, scenes), 1.0, -1.0)
    toward = _about(around, torch.eye(2, dtype=torch.float64).expand(scenes, 2, 2) * zoom[:, None, None])
    # The ground, below the middle, is nearer than the sky and moves faster.
    steep = torch.stack([dice.normal(0.05, scenes), -dice.uniform(0, 0.3, scenes)], -1) / middle
    slow = _draw_similarity(
        dice, center, gain.clamp(max=0.5), shift=(5 * unit, 3 * unit), turn=0.02, zoom=0.0, power=1.5
    )
    matrix = torch.where(approaching, slow @ toward, general)
    tilt = torch.where(approaching[..., 0], steep, tilt).clamp(-0.35 / middle, 0.35 / middle)
    perspective = torch.eye(3, dtype=torch.float64).repeat(scenes, 1, 1)
    perspective[:, 2, :2] = tilt
    return matrix @ _shifted(center) @ perspective @ _shifted(-center)


def _draw_roll(
    dice: Dice, settings: SceneSettings, scenes: int, middle: Float[Tensor, " axes"]
) -> Float[Tensor, "scenes 3 3"]:
    """Rotations about the middle of the frame, in a few scenes."""
    angle = (dice.normal(0.12, scenes) * dice.chance(settings.rolling, scenes)).clamp(-0.5, 0.5)
    cos, sin = angle.cos(), angle.sin()
    return _about(middle.expand(scenes, 2), torch.stack([cos, -sin, sin, cos], -1).view(scenes, 2, 2))


def _draw_similarity(
    dice: Dice,
    center: Float[Tensor, "*lead 2"],
    gain: Float[Tensor, "*lead"],
    *,
    shift: tuple[float, float],
    turn: float,
    zoom: float,
    power: float,
) -> Float[Tensor, "*lead 3 3"]:
    """Heavy-tailed translation, rotation, zoom and slight shear about `center`, each multiplied by `gain`."""
    lead = tuple(center.shape[:-1])
    moved = torch.stack([dice.heavy(axis, power, *lead) * gain for axis in shift], -1)
    angle = (dice.heavy(turn, 1.5, *lead) * gain).clamp(-0.7, 0.7)
    scale = (dice.heavy(zoom, 1.5, *lead) * gain).clamp(-0.35, 0.35).exp()
    shear = (dice.heavy(0.01, 1.5, *lead) * gain).clamp(-0.3, 0.3)
    cos, sin = angle.cos() * scale, angle.sin() * scale
    linear = torch.stack([cos, cos * shear - sin, sin, sin * shear + cos], -1).view(*lead, 2, 2)
    return _shifted(moved) @ _about(center, linear)


def _draw_sideways(dice: Dice, shapes: Shapes, unit: float) -> Float[Tensor, "scenes layers 3 3"]:
    """Horizontal shifts of one sign, larger for nearer layers, with slanted surfaces."""
    scenes, layers = shapes.center.shape[:2]
    largest = dice.log_uniform(20, 100, scenes, 1) * unit * torch.where(dice.chance(0.5, scenes, 1), -1.0, 1.0)
    nearness = dice.uniform(0.15, 1, scenes, layers).sort(1).values
    linear = torch.eye(2, dtype=torch.float64).repeat(scenes, layers, 1, 1)
    linear[..., 0, :] += dice.normal(0.03, scenes, layers, 2)
    shift = torch.stack([largest * nearness, torch.zeros(scenes, layers, dtype=torch.float64)], -1)
    return _shifted(shift) @ _about(shapes.center, linear)


def _draw_bend(
    dice: Dice, strength: Float[Tensor, "scenes layers"], extent: Float[Tensor, "scenes layers 2"]
) -> Float[Tensor, "scenes layers 2 nodes nodes"]:
    """Smooth displacements from Gaussian grids of 3x3 to 6x6, with gradients of at most `_STEEPEST`, so invertible."""
    lead = tuple(strength.shape)
    rough = dice.normal(1, *lead, 2, 6, 6)
    size = dice.whole(3, 6, *lead)[..., None, None, None]
    bend = torch.zeros(*lead, 2, _NODES, _NODES, dtype=torch.float64)
    for cells in range(3, 7):
        grid = rough[..., :cells, :cells].flatten(0, 2)[:, None]
        smooth = functional.interpolate(grid, (_NODES, _NODES), mode="bicubic", align_corners=True)
        bend = torch.where(size == cells, smooth.reshape(bend.shape), bend)
    bend = bend * strength[..., None, None, None]
    spacing = 2 * extent / (_NODES - 1)
    across = bend.diff(dim=-1).norm(dim=2).amax((-2, -1)) / spacing[..., 0]
    down = bend.diff(dim=-2).norm(dim=2).amax((-2, -1)) / spacing[..., 1]
    steepness = torch.hypot(across, down).clamp(min=1e-9)
    return bend * (_STEEPEST / steepness).clamp(max=1)[..., None, None, None]


def _limit_displacement(
    matrix: Float[Tensor, "scenes layers 3 3"],
    center: Float[Tensor, "*scenes 2"],
    reach: Float[Tensor, "*scenes 2"],
    farthest: Float[Tensor, "scenes 1"],
) -> Float[Tensor, "scenes layers 3 3"]:
    """The motions, blended with the identity where a corner of the layer would move by more than `farthest` px."""
    signs = torch.tensor([[-1, 1, -1, 1], [-1, -1, 1, 1]], dtype=torch.float64)
    corners = (center[..., None] + reach[..., None] * signs).expand(*matrix.shape[:2], 2, 4).flatten(0, 1)[..., None]
    moved = project(matrix.flatten(0, 1), corners) - corners
    fastest = moved.norm(dim=1).amax((1, 2)).view(matrix.shape[:2])
    weight = (farthest / fastest.clamp(min=1e-9)).clamp(max=1)[..., None, None]
    return torch.lerp(torch.eye(3, dtype=torch.float64).expand_as(matrix), matrix, weight)


def _join(own: Float[Tensor, "scenes layers 3 3"], joined: Bool[Tensor, "scenes layers"]) -> Tensor:
    """The motions, where each joined object has that of the object behind it."""
    leader = torch.arange(own.shape[1]).expand(joined.shape).clone()
    for layer in range(2, own.shape[1]):
        leader[:, layer] = torch.where(joined[:, layer], leader[:, layer - 1], leader[:, layer])
    return own.gather(1, leader[..., None, None].expand_as(own))


def _shifted(offset: Float[Tensor, "*lead 2"]) -> Float[Tensor, "*lead 3 3"]:
    matrix = torch.eye(3, dtype=torch.float64).repeat(*offset.shape[:-1], 1, 1)
    matrix[..., :2, 2] = offset
    return matrix


def _about(center: Float[Tensor, "*lead 2"], linear: Float[Tensor, "*lead 2 2"]) -> Float[Tensor, "*lead 3 3"]:
    """A linear map about the fixed point `center`, as a homography."""
    matrix = torch.eye(3, dtype=torch.float64).repeat(*center.shape[:-1], 1, 1)
    matrix[..., :2, :2] = linear
    return _shifted(center) @ matrix @ _shifted(-center)
