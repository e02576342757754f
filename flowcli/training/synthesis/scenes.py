"""Renders pairs of frames with exact optical flow from moving textured layers, on a CPU or a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from flowcli.training.synthesis.appearance import Appearance, colours, draw_appearance, tinted
from flowcli.training.synthesis.backdrops import Backdrops, behind, draw_backdrops
from flowcli.training.synthesis.batched import Batched, Dice
from flowcli.training.synthesis.fog_and_shadow import FogAndShadow, covered, draw_fog_and_shadow
from flowcli.training.synthesis.motion_blur import LONGEST, motion_blurred
from flowcli.training.synthesis.motion_sampling import STATIC, draw_kinds, draw_motions
from flowcli.training.synthesis.motions import Motions, backwards, forwards, project
from flowcli.training.synthesis.sensor import Sensor, draw_sensor, recorded
from flowcli.training.synthesis.settings import SceneSettings
from flowcli.training.synthesis.shapes import Shapes, coverage, draw_shapes, unit_coordinates
from flowcli.training.synthesis.textures import TextureBank, gather
from raft_core.grid import is_inside

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, UInt8
    from torch import Tensor

_SCENES_AT_ONCE = {"cpu": 1}  # A scene at a time, each layer is rendered in its own bounding box only.


@dataclass(frozen=True, eq=False)
class Scenes:
    """Rendered pairs (RGB) on the bank's device.

    `flow` is the displacement from `first` to `second` in px on the first frame's grid, channel 0 right and 1 down, of
    occluded pixels too. `visible` marks pixels that the second frame shows: not occluded and not moved outside.
    """

    first: UInt8[Tensor, "batch 3 height width"]
    second: UInt8[Tensor, "batch 3 height width"]
    flow: Float[Tensor, "batch 2 height width"]
    visible: Bool[Tensor, "batch height width"]


@dataclass(frozen=True, eq=False)
class _Plan(Batched):
    """The parameters of some scenes; layer 0 is the background, the others are objects from back to front.

    `shutter` is the exposure as a fraction of the time between the frames, centred on each of them.
    """

    present: Bool[Tensor, "scenes layers"]
    shapes: Shapes
    appearance: Appearance
    motions: Motions
    shutter: Float[Tensor, "scenes layers"]


@dataclass(frozen=True, eq=False)
class _Whole(Batched):
    """The parameters of whole scenes."""

    backdrops: Backdrops
    fog_and_shadow: FogAndShadow
    sensor: Sensor


@torch.no_grad()
def render(
    bank: TextureBank, *, count: int, height: int, width: int, seed: int, settings: SceneSettings | None = None
) -> Scenes:
    """Renders `count` scenes on the bank's device, a pure function of the arguments."""
    dice, settings = Dice(seed), settings or SceneSettings()
    kinds = draw_kinds(dice, settings, count)
    backdrops = draw_backdrops(dice, settings, count, height=height, width=width)
    plan = _draw_plan(bank, dice, settings, kinds, backdrops, height=height, width=width)
    whole = _Whole(
        backdrops=backdrops,
        fog_and_shadow=draw_fog_and_shadow(dice, settings, count),
        sensor=draw_sensor(dice, settings, (kinds == STATIC) | backdrops.plain),
    )
    step = _SCENES_AT_ONCE.get(bank.device.type, count)
    # Autocast to bfloat16 would round colours to 8 significant bits before they are blended.
    with torch.autocast(bank.device.type, enabled=False):
        parts = [
            _render(bank, plan.scenes(i, i + step), whole.scenes(i, i + step), height=height, width=width)
            for i in range(0, count, step)
        ]
    return Scenes(
        first=torch.cat([part.first for part in parts]),
        second=torch.cat([part.second for part in parts]),
        flow=torch.cat([part.flow for part in parts]),
        visible=torch.cat([part.visible for part in parts]),
    )


def _draw_plan(
    bank: TextureBank,
    dice: Dice,
    settings: SceneSettings,
    kinds: Int[Tensor, " scenes"],
    backdrops: Backdrops,
    *,
    height: int,
    width: int,
) -> _Plan:
    count = len(kinds)
    layers = 1 + settings.most_objects
    objects = dice.whole(settings.fewest_objects, settings.most_objects, count)
    objects = torch.where(dice.chance(settings.background_only, count) & ~backdrops.followed, 0, objects)
    objects = torch.where(backdrops.particles, settings.most_objects, objects)
    is_cutout = dice.chance(settings.cutouts if len(bank.cutouts) else 0, count, layers)
    is_cutout[:, 0] = False
    is_cutout &= ~backdrops.particles[:, None]
    shapes = draw_shapes(dice, is_cutout, backdrops.particles, height=height, width=width)
    half = torch.tensor([width / 2, height / 2], dtype=torch.float64)
    shapes.center[:, 0] = half
    shapes.reach[:, 0] = half
    shutter = dice.chance(settings.motion_blur, count) * dice.uniform(0.15, 0.7, count)
    return _Plan(
        present=torch.arange(layers) <= objects[:, None],
        shapes=shapes,
        appearance=draw_appearance(dice, settings, bank, shapes, backdrops.particles),
        motions=draw_motions(dice, settings, shapes, kinds, backdrops, height=height, width=width),
        shutter=shutter[:, None].expand(count, layers),
    )


def _render(bank: TextureBank, plan: _Plan, whole: _Whole, *, height: int, width: int) -> Scenes:
    on_device = plan.to(bank.device)
    count, layers = plan.present.shape
    rows = torch.arange(height, device=bank.device, dtype=torch.float32)
    columns = torch.arange(width, device=bank.device, dtype=torch.float32)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    grid = torch.stack([x, y]).expand(count, 2, height, width)
    canvas = _Canvas(
        grid=grid,
        frames=[grid.new_zeros(count, 3, height, width) for _ in range(2)],
        tops=[torch.zeros(count, height, width, dtype=torch.int16, device=bank.device) for _ in range(2)],
        target=grid.clone(),
        backdrops=whole.backdrops.to(bank.device),
    )
    for index in range(layers):
        if plan.present[:, index].any():
            _paint_layer(bank, canvas, plan.layer(index), on_device.layer(index), index)
    flow = canvas.target - grid
    frames = [covered(whole.fog_and_shadow, frame, moment) for moment, frame in enumerate(canvas.frames)]
    first, second = recorded(whole.sensor, frames)
    return Scenes(first, second, flow, _visible(canvas))


@dataclass(frozen=True, eq=False)
class _Canvas:
    """Both frames while they are rendered, the index of the top layer at each pixel, and the first's target points.

    `backdrops` are the plain parts of the background, on the device.
    """

    grid: Float[Tensor, "batch 2 height width"]
    frames: list[Float[Tensor, "batch 3 height width"]]
    tops: list[Int[Tensor, "batch height width"]]
    target: Float[Tensor, "batch 2 height width"]
    backdrops: Backdrops


def _paint_layer(bank: TextureBank, canvas: _Canvas, known: _Plan, plan: _Plan, index: int) -> None:
    """Renders one layer into both frames; `known` are its parameters on the CPU, for decisions without a GPU sync."""
    bends = bool(known.motions.bends.any())
    textures = gather(bank.textures, known.appearance.texture, known.appearance.level)
    cutouts = None
    if index and known.shapes.is_cutout.any():
        cutouts = gather(bank.cutouts, known.appearance.cutout, known.appearance.cutout_level)
    for moment in range(2):
        box = _bounding_box(known, canvas.grid.shape, moment) if index else (slice(None), slice(None))
        here = (..., *box)
        pixels = canvas.grid[here]
        if pixels.numel() == 0:
            continue
        points = backwards(plan.motions, pixels, bends=bends) if moment else pixels
        moved = pixels if moment else forwards(plan.motions, points, bends=bends)
        rgb, alpha = _appearance(plan, textures, cutouts, points, is_object=index > 0)
        if index == 0:
            rgb = behind(canvas.backdrops, rgb, points - plan.shapes.center[..., None, None])
        _apply_motion_blur(known, plan, rgb, alpha, moved - points)
        canvas.frames[moment][here] = torch.lerp(canvas.frames[moment][here], rgb, alpha)
        on_top = alpha > 0.5
        canvas.tops[moment][here].masked_fill_(on_top[:, 0], index)
        if moment == 0:
            canvas.target[here] = torch.where(on_top, moved, canvas.target[here])


def _appearance(
    plan: _Plan,
    textures: Float[Tensor, "batch 3 side side"],
    cutouts: Float[Tensor, "batch 4 small small"] | None,
    points: Float[Tensor, "batch 2 height width"],
    *,
    is_object: bool,
) -> tuple[Float[Tensor, "batch 3 height width"], Float[Tensor, "batch 1 height width"]]:
    """Colour and opacity of one layer at points of the first frame."""
    rgb = colours(plan.appearance, textures, points, plan.shapes.center)
    if not is_object:
        return tinted(plan.appearance, rgb), torch.ones_like(points[:, :1])
    local = unit_coordinates(plan.shapes, points)
    alpha = coverage(plan.shapes, points, local)
    if cutouts is not None:
        seen = functional.grid_sample(cutouts, local.permute(0, 2, 3, 1), align_corners=False)
        alpha = torch.where(plan.shapes.is_cutout[:, None, None, None], seen[:, 3:] / 255, alpha)
        rgb = torch.where(plan.appearance.keeps_colour[:, None, None, None], seen[:, :3], rgb)
    return tinted(plan.appearance, rgb), alpha * plan.present[:, None, None, None]


def _apply_motion_blur(
    known: _Plan,
    plan: _Plan,
    rgb: Float[Tensor, "batch 3 height width"],
    alpha: Float[Tensor, "batch 1 height width"],
    velocity: Float[Tensor, "batch 2 height width"],
) -> None:
    """Blurs in place the scenes whose layer moves by more than 0.7 px during the exposure."""
    paths = _paths(known)
    which = (paths > 0.7).nonzero().flatten()
    if len(which):
        longest = float(paths.max())
        which = which.to(rgb.device)
        path = velocity[which] * plan.shutter[which, None, None, None]
        rgb[which], alpha[which] = motion_blurred(rgb[which], alpha[which], path, longest=longest)


def _paths(known: _Plan) -> Float[Tensor, " batch"]:
    """The longest path of the layer's corners during the exposure, in px."""
    displacement = _corners(known, 1) - _corners(known, 0)
    return torch.hypot(displacement[:, 0], displacement[:, 1]).amax(-1) * known.shutter


def _corners(known: _Plan, moment: int) -> Float[Tensor, "batch 2 corners"]:
    """The corners of a box around the layer in the first or second frame."""
    signs = torch.tensor([[-1, 1, -1, 1], [-1, -1, 1, 1]], dtype=torch.float64)
    bend = known.motions.bend.abs().amax((-2, -1))[..., None]
    corners = (known.shapes.center[..., None] + (known.shapes.reach[..., None] + bend + 2) * signs)[..., None]
    return (project(known.motions.matrix, corners) if moment else corners)[..., 0]


def _bounding_box(known: _Plan, size: torch.Size, moment: int) -> tuple[slice, slice]:
    """The rows and columns that may show the layer in the first or second frame, over all scenes."""
    height, width = size[-2:]
    margin = _paths(known).clamp(max=LONGEST)[:, None] / 2
    corners = _corners(known, moment)
    low = (corners.amin(-1) - margin)[known.present].amin(0).floor()
    high = (corners.amax(-1) + margin)[known.present].amax(0)
    left, top = (int(value) for value in low)
    right, bottom = (int(value) + 2 for value in high)
    return slice(max(top, 0), max(min(bottom, height), 0)), slice(max(left, 0), max(min(right, width), 0))


def _visible(canvas: _Canvas) -> Bool[Tensor, "batch height width"]:
    """A mask of first-frame pixels whose layer is on top at their target in the second frame."""
    height, width = canvas.target.shape[-2:]
    x, y = canvas.target.unbind(1)
    inside = is_inside(canvas.target, height=height, width=width)
    there = y.round().long().clamp(0, height - 1) * width + x.round().long().clamp(0, width - 1)
    seen = canvas.tops[1].flatten(1).gather(1, there.flatten(1)).view_as(there)
    return inside & (seen == canvas.tops[0])
