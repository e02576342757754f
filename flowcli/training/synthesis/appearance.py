"""The appearance of generated layers: a part of a texture or a cut-out, with changed colours."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from flowcli.training.synthesis.batched import Batched

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from torch import Tensor

    from flowcli.training.synthesis.batched import Dice
    from flowcli.training.synthesis.settings import SceneSettings
    from flowcli.training.synthesis.shapes import Shapes
    from flowcli.training.synthesis.textures import TextureBank

_CANDIDATES = 4
_PLAIN = 5.0


@dataclass(frozen=True, eq=False)
class Appearance(Batched):
    """The appearance of each scene's layers.

    A pixel at offset d from the layer's centre has the colour rgb of the texture at `to_texture` @ d + `origin` (-1 to
    1 across the texture), changed to `tint` @ rgb + `light`. Textures are averaged over 2^`level` pixels, cut-outs over
    2^`cutout_level`, before they are sampled.
    """

    texture: Int[Tensor, "scenes layers"]
    level: Int[Tensor, "scenes layers"]
    to_texture: Float[Tensor, "scenes layers 2 2"]
    origin: Float[Tensor, "scenes layers 2"]
    cutout: Int[Tensor, "scenes layers"]
    cutout_level: Int[Tensor, "scenes layers"]
    keeps_colour: Bool[Tensor, "scenes layers"]
    tint: Float[Tensor, "scenes layers 3 3"]
    light: Float[Tensor, "scenes layers 3"]


def draw_appearance(
    dice: Dice, settings: SceneSettings, bank: TextureBank, shapes: Shapes, particles: Bool[Tensor, " scenes"]
) -> Appearance:
    """Draws the appearance of every layer, mostly parts of textures with detail; particles are plain and bright."""
    lead = tuple(shapes.softness.shape)
    side = bank.textures.shape[-1]
    scale = dice.log_uniform(0.8, 2**0.8, *lead)
    # Textures are continued by their mirror images: this limits how much of those is visible.
    scale = torch.minimum(scale, 0.56 * side / shapes.reach.amin(-1)).clamp(min=0.3)
    linear = _draw_orientation(dice, lead) * scale[..., None, None] * 2 / side
    texture, origin = _choose_pieces(dice, settings, bank, linear, shapes.reach)
    blurred = _draw_defocus(dice, settings, lead)
    cutouts = bank.cutouts.shape[0]
    shrinking = bank.cutouts.shape[-1] / (2 * shapes.reach.amin(-1).clamp(min=1))
    tint, light = _draw_light(dice, settings, lead)
    tint = torch.where(particles[:, None, None, None], 0.0, tint)
    bright = dice.uniform(90, 255, *lead, 1) + dice.normal(10, *lead, 3)
    light = torch.where(particles[:, None, None], bright, light)
    return Appearance(
        texture=texture,
        level=(scale.log2() + 0.2).round().clamp(0, 1).long() + blurred,
        to_texture=linear,
        origin=origin,
        cutout=dice.whole(0, max(cutouts - 1, 0), *lead),
        cutout_level=((shrinking.log2() - 0.3).round().clamp(0, 3).long() + blurred).clamp(max=4),
        keeps_colour=shapes.is_cutout & dice.chance(0.75, *lead),
        tint=tint,
        light=light,
    )


def _draw_orientation(dice: Dice, lead: tuple[int, ...]) -> Float[Tensor, "scenes layers 2 2"]:
    """Random linear maps from layer to texture: a mostly small rotation, a slight stretch, transposition, mirroring."""
    angle = dice.normal(0.04, *lead) + torch.where(dice.chance(0.15, *lead), dice.uniform(-3, 3, *lead), 0.0)
    stretch = dice.normal(0.1, *lead).exp()
    cos, sin = angle.cos(), angle.sin()
    linear = torch.stack([cos * stretch, -sin * stretch, sin / stretch, cos / stretch], -1).view(*lead, 2, 2)
    linear = torch.where(dice.chance(0.5, *lead)[..., None, None], linear.flip(-1), linear)
    return linear * torch.where(dice.chance(0.5, *lead)[..., None], -1.0, 1.0)[..., None, :]


def _choose_pieces(
    dice: Dice,
    settings: SceneSettings,
    bank: TextureBank,
    linear: Float[Tensor, "scenes layers 2 2"],
    reach: Float[Tensor, "scenes layers 2"],
) -> tuple[Int[Tensor, "scenes layers"], Float[Tensor, "scenes layers 2"]]:
    """A texture and an origin in it for each layer: the first of a few random ones that has enough detail."""
    lead = tuple(reach.shape[:2])
    tries = (*lead, _CANDIDATES)
    total, photographs = bank.textures.shape[0], bank.photographs
    generated = dice.chance(settings.generated_textures, *lead)[..., None] & (total > photographs)
    low, high = torch.where(generated, photographs, 0), torch.where(generated, total, photographs)
    textures = low + (dice.uniform(0, 1, *tries) * (high - low)).long()
    half = (linear.abs() @ reach[..., None])[..., 0]
    room = (1 - half).clamp(min=0.02)
    origins = dice.uniform(-1, 1, *tries, 2) * room[..., None, :]
    places = torch.tensor([[-0.6, -0.6], [0.6, -0.6], [0, 0], [-0.6, 0.6], [0.6, 0.6]], dtype=torch.float64)
    probes = origins[..., None, :] + places * half[..., None, None, :].clamp(max=1)
    cells = bank.detail.shape[-1]
    column, row = ((probes + 1) / 2 * cells).long().clamp(0, cells - 1).unbind(-1)
    detail = bank.detail[textures[..., None], row, column].mean(-1)
    accepted = (detail > _PLAIN) | dice.chance(0.15, *lead)[..., None]
    chosen = accepted.long().argmax(-1, keepdim=True)
    origin = origins.gather(2, chosen[..., None].expand(*lead, 1, 2))[..., 0, :]
    return textures.gather(2, chosen)[..., 0], origin


def _draw_defocus(dice: Dice, settings: SceneSettings, lead: tuple[int, ...]) -> Int[Tensor, "scenes layers"]:
    """Additional blur levels of layers out of focus: in some scenes the far layers, in fewer the near ones."""
    scenes, layers = lead
    depth = (torch.arange(layers) + 0.5) / layers
    depth = torch.where(dice.chance(0.3, scenes, 1), 1 - depth, depth)
    blurred = dice.chance(settings.defocus, scenes, 1) & (depth < dice.uniform(0.05, 0.6, scenes, 1))
    return blurred.long() * dice.whole(1, 2, scenes, 1)


def _draw_light(dice: Dice, settings: SceneSettings, lead: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Colour maps (`tint`, `light`) of random hue, saturation, contrast, brightness, and fog that grows with depth."""
    scenes, layers = lead
    hue = torch.where(dice.chance(0.15, *lead), dice.uniform(-math.pi, math.pi, *lead), dice.normal(0.15, *lead))
    saturation = dice.normal(0.25, *lead).exp().clamp(0.3, 1.6)
    faint = dice.chance(settings.faint, *lead)
    flat = dice.chance(settings.flat, *lead)
    # The motion of a background without texture could not be seen.
    faint[:, 0] &= dice.chance(0.5, scenes)
    flat[:, 0] = False
    contrast = dice.normal(0.2, *lead).exp()
    contrast = torch.where(faint, dice.uniform(0.05, 0.15, *lead), contrast)
    contrast = torch.where(flat, dice.uniform(0, 0.03, *lead), contrast)[..., None]
    plain = dice.uniform(30, 225, *lead, 3)
    around = torch.where((faint | flat)[..., None], plain, 128 + dice.normal(15, *lead, 1))
    tint = _hue_rotation(hue, saturation) * contrast[..., None]
    light = around - contrast * 128
    depth = 1 - torch.arange(layers) / layers
    thickness = dice.chance(settings.fog, scenes, 1) * dice.uniform(0.1, 0.85, scenes, 1)
    clear = (1 - thickness * depth)[..., None]
    air = dice.uniform(120, 240, scenes, 1, 1) + dice.normal(10, scenes, 1, 3)
    return tint * clear[..., None], light * clear + air * (1 - clear)


def _hue_rotation(hue: Float[Tensor, "*lead"], saturation: Float[Tensor, "*lead"]) -> Float[Tensor, "*lead 3 3"]:
    """Matrices that rotate colours about the grey axis and scale their distance from it."""
    grey = torch.full((3, 3), 1 / 3, dtype=torch.float64)
    across = torch.eye(3, dtype=torch.float64) - grey
    turn = torch.tensor([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], dtype=torch.float64) / math.sqrt(3)
    cos, sin = (saturation * hue.cos())[..., None, None], (saturation * hue.sin())[..., None, None]
    return grey + cos * across + sin * turn


def colours(
    appearance: Appearance,
    textures: Float[Tensor, "batch 3 side side"],
    points: Float[Tensor, "batch 2 height width"],
    center: Float[Tensor, "batch 2"],
) -> Float[Tensor, "batch 3 height width"]:
    """The texture's colours at `points` of one layer, before its colour map."""
    x = points[:, 0] - center[:, 0, None, None]
    y = points[:, 1] - center[:, 1, None, None]
    a, b, c, d = (entry[:, None, None] for entry in appearance.to_texture.flatten(1).unbind(1))
    left, top = (entry[:, None, None] for entry in appearance.origin.unbind(1))
    places = torch.stack([a * x + b * y + left, c * x + d * y + top], -1)
    return functional.grid_sample(textures, places, padding_mode="reflection", align_corners=False)


def tinted(appearance: Appearance, rgb: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 3 height width"]:
    """Colours changed by one layer's colour map, not clipped to 0..255, so that highlights stay bright under blur."""
    flat = torch.baddbmm(appearance.light[..., None], appearance.tint, rgb.flatten(2))
    return flat.view_as(rgb)
