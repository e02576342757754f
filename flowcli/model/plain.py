"""Plain regions: where two frames show nothing but noise, flow follows the camera, or is zero before a still one.

RAFT matches noise there, and invents motion of many px: in a plain sky, in a wall behind what moves. By Occam's razor
the simplest motion is taken that explains both frames as well: of a camera that shifts, turns and zooms, if what is
textured at the frame's border moves with one; none, if the border shows hardly anything. It acts on regions that

- show no texture above their noise, at any scale, and differ along the simpler motion as little as along the flow,
- reach the border, so that a plain thing that moves within the frame keeps its motion,
- end in edges that move along: where texture of the camera's motion is beside edges that do not, the region is that of
  a plain thing which moves by itself.

All else keeps its flow: textured pixels, edges, what is enclosed, and frames whose camera cannot be told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from flowcli.model.still import MOST_EXCESS, MOST_NOISE, ROUNDING, median_of_its_brightness
from flowcli.system.opencv import cv2
from raft_core.grid import pixel_grid, sample

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

    Plane = Float[Tensor, "1 1 height width"]
    Flow = Float[Tensor, "1 2 height width"]
    Cells = Float[Tensor, "1 channels rows columns"]
    Mask = Bool[Tensor, "1 1 rows columns"]

HALF = 2
SIDE = 7
CELL = 8
"""The side in px of the cells that are judged."""
SCALES = (2, 4, 8)
"""The sizes in px to which frames are averaged to see texture in noise."""
TEXTURE = 4.0
"""Texture is explained where what both frames show is so many times what they differ by; noise has a ratio of 1."""
MOST_SHOWN = 1.6
"""The greatest such ratio of plain cells, in windows of 5 x 5."""
WORSE, WORSE_IN_ALL = 1.5, 1.2
"""The greatest difference along the simpler motion, as a multiple of that along the flow: in windows, in a region."""
INVISIBLE = ROUNDING / 2
"""The squared difference, in grey levels, of regions that are not asked which motion explains them better."""
LEAST_TEXTURED, MOST_TEXTURED = 0.25, 0.2
"""The share of the border that shows a camera, at least; and that a still camera is assumed with, at most."""
ALIKE = 1.0
"""The distance in px up to which flow agrees with the camera; so many of the textured cells must."""
LEAST_ALIKE = 0.7
LEAST_CONTACT = 0.3
"""A region's least share of the frame's border: less may be a plain thing that enters."""
CLOSER_EXCESS = 2.2
"""As MOST_EXCESS, for pixels beside a region."""
REACH = 12
"""So many pixels of half the resolution beside a region are asked one by one; the last of them are blended."""


class Comparison(NamedTuple):
    """What two frames show along a motion: `squared` differences, and by scale how much they differ and show.

    The latter two are squared Laplacians of the frames' difference and sum: equal for noise. `inside` is false where
    the motion leaves the frame. All are means of cells; `half` are squared differences at half the resolution.
    """

    half: Plane
    squared: Cells
    differing: Cells
    showing: Cells
    inside: Mask

    @property
    def textured(self) -> Mask:
        """Where the motion explains a texture."""
        return self.inside & mostly((self.showing / (self.differing + ROUNDING)).amax(dim=1, keepdim=True) > TEXTURE)


def settle(first: Plane, second: Plane, flow: Flow) -> Flow:
    """The flow with the simplest motion in plain regions, of grey frames from 0 to 255; flow in px."""
    height, width = flow.shape[-2:]
    if min(height, width) < 4 * CELL:
        return flow
    half = averaged(first, HALF)
    shown = by_scale(half)
    if not may_be_plain(shown):
        return flow
    seen = compare(first, second, flow, half=half)
    noise = median_of_its_brightness(seen.squared, brightness=averaged(half, CELL // HALF))
    coarse = averaged(flow, CELL)
    leaving = ~seen.inside & mostly((shown > TEXTURE * (variances(noise / 2) + ROUNDING)).any(dim=1, keepdim=True))
    camera = camera_of(coarse, seen, textured=seen.textured | leaving)
    if camera is None:
        return flow
    simplest = F.interpolate(camera, scale_factor=CELL, mode="bilinear", align_corners=False)[..., :height, :width]
    simple = compare(first, second, simplest, half=half)
    with_camera = seen.textured & ((coarse - camera).norm(dim=1, keepdim=True) < ALIKE)
    region = plain_region(seen, simple, noise, with_camera=with_camera, still=not camera.any())
    if not region.any():
        return flow
    share = spread(region, plain_pixels(half, seen, simple, noise))[..., :height, :width]
    return flow + share * (simplest - flow)


def may_be_plain(shown: Cells) -> bool:
    """Whether enough of a frame's border shows no more than noise could; of most frames it does not."""
    plain = shown <= TEXTURE * variances(shown.new_full((1, 1, 1, 1), MOST_NOISE**2 / 2))
    return float(border(plain.all(dim=1)).float().mean()) >= LEAST_CONTACT


def compare(first: Plane, second: Plane, flow: Flow, *, half: Plane) -> Comparison:
    """Both frames along a motion; `half` is the first at half the resolution.

    The motion is rounded to px: interpolation would smooth noise, and so favour some motions.
    """
    height, width = flow.shape[-2:]
    points = pixel_grid(height, width, like=flow) + flow
    warped = sample(second, points, outside="border", interpolation="nearest")
    squared, moved = averaged((warped - first).square(), HALF), averaged(warped, HALF)
    x, y = averaged(points, CELL).chunk(2, dim=1)
    inside = (x >= CELL // 2) & (y >= CELL // 2) & (x < width - CELL // 2) & (y < height - CELL // 2)
    return Comparison(squared, averaged(squared, CELL // HALF), by_scale(moved - half), by_scale(moved + half), inside)


def by_scale(half: Plane) -> Cells:
    """The squared Laplacian at each of SCALES, as means of cells, of a plane at half the resolution."""
    planes = [laplacian(averaged(half, scale // HALF)) for scale in SCALES]
    return torch.cat([averaged(plane, CELL // scale) for plane, scale in zip(planes, SCALES, strict=True)], dim=1)


def laplacian(plane: Plane) -> Plane:
    """The squared second derivatives across and down, which for noise are its variance; that of gradients is zero.

    The border is repeated inwards.
    """
    middle = 2 * plane[..., 1:-1, 1:-1]
    across = plane[..., 1:-1, :-2] + plane[..., 1:-1, 2:] - middle
    down = plane[..., :-2, 1:-1] + plane[..., 2:, 1:-1] - middle
    squared = (across.square() + down.square()) / 12
    squared = torch.cat([squared[..., :1, :], squared, squared[..., -1:, :]], dim=-2)
    return torch.cat([squared[..., :1], squared, squared[..., -1:]], dim=-1)


def averaged(plane: Tensor, side: int) -> Tensor:
    """The means of squares of this side; those at the right and lower border may be smaller."""
    return F.avg_pool2d(plane, side, ceil_mode=True) if side > 1 else plane


def variances(noise: Cells) -> Cells:
    """What noise of this variance leaves at each of SCALES."""
    return noise / noise.new_tensor(SCALES)[:, None, None].square()


def camera_of(coarse: Cells, seen: Comparison, *, textured: Mask) -> Cells | None:
    """The flow of the camera in cells: a similarity that most textured cells agree with; None if it cannot be told.

    Zero where the border shows hardly any texture: things which move there do not tell of the camera.
    """
    share = float(border(textured).float().mean())
    if share <= MOST_TEXTURED:
        return torch.zeros_like(coarse)
    if share < LEAST_TEXTURED or not seen.textured.any():
        return None
    camera = similarity(coarse, seen.textured)
    apart = (coarse - camera).norm(dim=1, keepdim=True)[seen.textured]
    return camera if float((apart < ALIKE).float().mean()) >= LEAST_ALIKE else None


def similarity(coarse: Cells, chosen: Mask) -> Cells:
    """The shift, turn and zoom nearest to the flow of the chosen cells, by six reweighted least squares (L1)."""
    x, y = pixel_grid(*coarse.shape[-2:], like=coarse).double()
    place, flow = torch.complex(x, y), torch.complex(coarse[0, 0].double(), coarse[0, 1].double())
    places, flows = place[chosen[0, 0]], flow[chosen[0, 0]]
    weights = torch.ones_like(places.real)
    for _ in range(6):
        total = weights.sum()
        centre, shift = (weights * places).sum() / total, (weights * flows).sum() / total
        arms = places - centre
        turn = (weights * arms.conj() * (flows - shift)).sum() / ((weights * arms.abs().square()).sum() + 1e-9)
        weights = 1 / (flows - shift - turn * arms).abs().clamp(min=0.1)
    fitted = shift + turn * (place - centre)
    return torch.stack([fitted.real, fitted.imag])[None].to(coarse.dtype)


def plain_region(seen: Comparison, simple: Comparison, noise: Cells, *, with_camera: Mask, still: bool) -> Mask:
    """The cells that are plain and take the simplest motion."""
    explained = simple.squared <= MOST_EXCESS * (noise + ROUNDING)
    sane = explained & (simple.showing[:, :1] <= TEXTURE * (simple.differing[:, :1] + ROUNDING))
    # At the larger scales a cell's value depends on its neighbours too.
    inner = ~grown(~sane)
    masks = torch.cat([sane, inner, inner], dim=1).float()
    differing, before, showing = (
        around(plane, masks, SIDE) for plane in (simple.differing, seen.differing, simple.showing)
    )
    floor = ROUNDING / noise.new_tensor(SCALES)[:, None, None]
    plain = sane & (showing <= MOST_SHOWN * (differing + ROUNDING)).all(dim=1, keepdim=True)
    plain &= (differing <= WORSE * before + floor).all(dim=1, keepdim=True) | (around(simple.squared, sane.float())<=INVISIBLE)
    plain |= sane & (around(plain.float(), None, 3) > 0.6)
    count, labels = cv2.connectedComponents(plain[0, 0].cpu().numpy().astype(np.uint8), connectivity=4)
    labelled = torch.from_numpy(labels).to(plain.device)[None, None]
    contact = torch.bincount(border(labelled), minlength=count) / border(labelled).numel()
    moves_along, stays = simple.textured, ~explained & ~simple.textured & grown(with_camera & ~plain, 2)
    floor = ROUNDING / noise.new_tensor(SCALES).square()
    region = torch.zeros_like(plain)
    for label in range(1, count):
        one = labelled == label
        if contact[label] < LEAST_CONTACT:
            continue
        ring = grown(one) & ~plain
        along, against = int((ring & moves_along).sum()), int((ring & stays).sum())
        owned = against > ring.sum() / 4 if still else along < max(1, 3 * against)
        means = [plane[:, :, one[0, 0]].mean(dim=2)[0] for plane in (differing, before)]
        worse = bool((means[0] > WORSE_IN_ALL * (means[1] + floor)).any())
        if not owned and not (worse and simple.squared[one].mean() > INVISIBLE):
            region |= one
    return region


def plain_pixels(half: Plane, seen: Comparison, simple: Comparison, noise: Cells) -> Mask:
    """At half the resolution: where the simplest motion explains what is around, which shows no texture."""
    rows, columns = seen.half.shape[-2:]
    usual = F.interpolate(noise, scale_factor=CELL // HALF)[..., :rows, :columns]
    before, after, shown = (around(plane, None, 3) for plane in (seen.half, simple.half, laplacian(half)))
    plain = (after <= CLOSER_EXCESS * (usual + ROUNDING)) & (after <= WORSE * before + ROUNDING)
    plain &= shown <= CLOSER_EXCESS * (usual / 2 / HALF**2 + ROUNDING)
    return around(plain.float(), None) > 0.5


def spread(region: Mask, plain: Mask) -> Plane:
    """The share of the simplest motion at every pixel: 1 in the region, and falling in the plain pixels around it."""
    rows, columns = plain.shape[-2:]
    inside = F.interpolate(region.float(), scale_factor=CELL // HALF)[..., :rows, :columns]
    share = inside
    for _ in range(REACH):
        nearest = F.max_pool2d(F.max_pool2d(share, (3, 1), 1, (1, 0)), (1, 3), 1, (0, 1))
        share = torch.maximum(inside, (nearest - 1 / REACH) * plain)
    return F.interpolate((2 * share).clamp(0, 1), scale_factor=2, mode="bilinear", align_corners=False)


def around(plane: Cells, mask: Cells | None, side: int = 5) -> Cells:
    """The mean of the cells around each, of those in the mask."""
    if mask is None:
        for size, edge in (((side, 1), (side // 2, 0)), ((1, side), (0, side // 2))):
            plane = F.avg_pool2d(plane, size, stride=1, padding=edge, count_include_pad=False)
        return plane
    total, count = (F.avg_pool2d(one, side, stride=1, padding=side // 2) for one in (plane * mask, mask))
    return total / count.clamp(min=1e-6)


def mostly(mask: Mask) -> Mask:
    """Where the mask holds, and for most of the cells around: noise makes it hold for single ones."""
    return mask & (around(mask.float(), None, 3) > 0.5)


def grown(mask: Mask, cells: int = 1) -> Mask:
    """The mask and what is so near."""
    return F.max_pool2d(mask.float(), 2 * cells + 1, stride=1, padding=cells) > 0


def border(cells: Tensor) -> Tensor:
    """The cells at the border of the frame, once each."""
    return torch.cat([cells[..., 0, :], cells[..., -1, :], cells[..., 1:-1, 0], cells[..., 1:-1, -1]], dim=-1).flatten()
