"""Fog and soft shadows that drift over a generated scene and do not change its flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from flowcli.training.synthesis.batched import Batched

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from flowcli.training.synthesis.batched import Dice
    from flowcli.training.synthesis.settings import SceneSettings

_CELLS = 12


@dataclass(frozen=True, eq=False)
class FogAndShadow(Batched):
    """One fog or shadow per scene: a colour blended into the frames with weight `field` (0 to 1) times `strength`.

    `offset` is the centre of each frame's window into the field, in its coordinates of -1 to 1.
    """

    field: Float[Tensor, "scenes 1 cells cells"]
    strength: Float[Tensor, " scenes"]
    colour: Float[Tensor, "scenes 3"]
    offset: Float[Tensor, "scenes frames 2"]


def draw_fog_and_shadow(dice: Dice, settings: SceneSettings, count: int) -> FogAndShadow:
    """Draws shadows (dark, with sharper edges) and fog (light, without edges), both drifting."""
    rough = dice.normal(1.6, count, 1, _CELLS, _CELLS)
    size = torch.where(dice.chance(0.5, count), 5, _CELLS)[:, None, None, None]
    coarse = functional.interpolate(rough[..., :5, :5], (_CELLS, _CELLS), mode="bicubic", align_corners=True)
    field = torch.where(size == 5, coarse, rough)
    is_shadow = dice.chance(settings.shadows, count)
    is_fog = dice.chance(settings.fog / 2, count) & ~is_shadow
    sharpness = torch.where(is_shadow, dice.uniform(1, 5, count), 1.0)[:, None, None, None]
    strength = torch.where(is_shadow, dice.uniform(0.2, 0.7, count), dice.uniform(0.2, 0.7, count) * is_fog)
    light = torch.where(is_shadow, dice.uniform(0, 30, count), dice.uniform(150, 240, count))
    start = dice.uniform(-0.15, 0.15, count, 1, 2)
    drift = dice.heavy(0.03, 1.5, count, 1, 2).clamp(-0.15, 0.15)
    return FogAndShadow(
        field=(field * sharpness).sigmoid(),
        strength=strength,
        colour=light[:, None] + dice.normal(8, count, 3),
        offset=torch.cat([start, start + drift], 1),
    )


def covered(
    fog_and_shadow: FogAndShadow, image: Float[Tensor, "batch 3 height width"], moment: int
) -> Float[Tensor, "batch 3 height width"]:
    """Frame 0 or 1 (`moment`) with its fog or shadow; `fog_and_shadow` is on the CPU."""
    if fog_and_shadow.strength.any():
        fog_and_shadow = fog_and_shadow.to(image.device)
        height, width = image.shape[-2:]
        scale = torch.eye(2, device=image.device).expand(len(image), 2, 2) * 0.7
        pose = torch.cat([scale, fog_and_shadow.offset[:, moment, :, None]], -1)
        places = functional.affine_grid(pose, [len(image), 1, height, width], align_corners=False)
        seen = functional.grid_sample(
            fog_and_shadow.field, places, mode="bicubic", padding_mode="border", align_corners=False
        )
        weight = seen.clamp(0, 1) * fog_and_shadow.strength[:, None, None, None]
        image = torch.lerp(image, fog_and_shadow.colour[..., None, None].expand_as(image), weight)
    return image
