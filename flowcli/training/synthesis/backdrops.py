"""Backgrounds without texture: plain walls, gradients, skies above textured ground, black behind bright particles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from flowcli.training.synthesis.batched import Batched

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

    from flowcli.training.synthesis.batched import Dice
    from flowcli.training.synthesis.settings import SceneSettings

FAR = 1e4
"""The distance in px of a horizon beyond every frame."""


@dataclass(frozen=True, eq=False)
class Backdrops(Batched):
    """Each scene's plain colour, and where its background shows it instead of its texture.

    A pixel at offset d from the centre of the frame has the colour `colour` + `ramp` @ d. The texture shows with weight
    `faint`, and fully where `normal` · d is above `horizon`, with an edge of `softness` px. The background of a
    `still` scene does not move; all objects of a `followed` scene move with the camera, so that they tell its motion.
    """

    colour: Float[Tensor, "scenes 3"]
    ramp: Float[Tensor, "scenes 3 2"]
    normal: Float[Tensor, "scenes 2"]
    horizon: Float[Tensor, " scenes"]
    softness: Float[Tensor, " scenes"]
    faint: Float[Tensor, " scenes"]
    still: Bool[Tensor, " scenes"]
    followed: Bool[Tensor, " scenes"]
    particles: Bool[Tensor, " scenes"]

    @property
    def plain(self) -> Bool[Tensor, " scenes"]:
        """Whether any of the background has no texture."""
        return self.horizon > -FAR


def draw_backdrops(dice: Dice, settings: SceneSettings, count: int, *, height: int, width: int) -> Backdrops:
    """Draws the backdrop of every scene; most have none, and texture everywhere."""
    particles = dice.chance(settings.particles, count)
    plain = dice.chance(settings.plain, count) | particles
    half = plain & dice.chance(0.5, count) & ~particles
    angle = torch.where(dice.chance(0.7, count), math.pi / 2 + dice.normal(0.15, count), dice.uniform(-3.2, 3.2, count))
    horizon = dice.uniform(-0.35, 0.35, count) * min(height, width)
    dark = dice.chance(0.1, count) | particles
    colour = torch.where(dark[:, None], dice.uniform(0, 14, count, 1), dice.uniform(10, 245, count, 1))
    colour = colour + dice.normal(12, count, 3) * ~dark[:, None]
    slope = dice.uniform(0, 90, count, 1) * (dice.chance(0.7, count) & ~dark)[:, None] / math.hypot(height, width)
    turn = torch.where(dice.chance(0.6, count), dice.normal(0.1, count) + math.pi / 2, dice.uniform(-3.2, 3.2, count))
    along = torch.stack([turn.cos(), turn.sin()], -1)
    still = plain & (particles | dice.chance(0.7, count) | (half & dice.chance(0.3, count)))
    return Backdrops(
        colour=colour,
        ramp=(slope * (1 + dice.normal(0.3, count, 3)))[..., None] * along[:, None],
        normal=torch.stack([angle.cos(), angle.sin()], -1),
        horizon=torch.where(half, horizon, torch.where(plain, FAR, -FAR)),
        softness=torch.where(dice.chance(0.7, count), 1.0, dice.log_uniform(2, 60, count)),
        faint=dice.uniform(0, 0.06, count) * dice.chance(0.6, count) * ~particles,
        still=still | dice.chance(settings.still_camera, count),
        followed=plain & ~half & ~still,
        particles=particles,
    )


def behind(
    backdrops: Backdrops, texture: Float[Tensor, "batch 3 height width"], points: Float[Tensor, "batch 2 height width"]
) -> Float[Tensor, "batch 3 height width"]:
    """The colours of the background at `points`, offsets from the frame's centre, whose texture has these colours."""
    x, y = points[:, 0], points[:, 1]
    normal = backdrops.normal[..., None, None]
    depth = normal[:, 0] * x + normal[:, 1] * y - backdrops.horizon[:, None, None]
    shown = (depth / backdrops.softness[:, None, None] + 0.5).clamp(0, 1)[:, None]
    shown = shown.maximum(backdrops.faint[:, None, None, None])
    ramp = torch.einsum("bca,bahw->bchw", backdrops.ramp, points)
    return torch.lerp(backdrops.colour[..., None, None] + ramp, texture, shown)
