"""Plain regions: where two frames show nothing but noise, flow follows the camera, or is zero.

RAFT matches the noise of a plain sky, or of a wall behind what moves, and invents motion of many px. By Occam's razor
such regions take the simplest motion that explains both frames as well: that of a camera which shifts, turns and zooms,
if what is textured at the frame's border moves with one; none, if hardly anything is textured there. A region

- shows no texture above its noise, at any scale, and differs along the simpler motion hardly more than along the flow;
- takes up much of the border: plain things that move within the frame, or enter it, keep their motion;
- ends in edges that move along. Where they do not, though what is behind them follows the camera, the region is a
  plain thing that moves by itself.

Textured pixels, edges and what is enclosed keep their flow, and so do frames whose camera cannot be told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from flowcli.model.resize import grey_on
from flowcli.model.still import MOST_EXCESS, MOST_NOISE, ROUNDING, median_of_its_brightness
from flowcli.model.texture import (
    CELL,
    HALF,
    SCALES,
    TEXTURE,
    Comparison,
    around,
    averaged,
    by_scale,
    compare,
    grown,
    laplacian,
    mostly,
    variances,
)
from flowcli.system.opencv import cv2
from raft_core.grid import pixel_grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float
    from torch import Tensor

    from flowcli.media.frames import FramePair
    from flowcli.model.texture import Cells, Flow, Mask, Plane

LEAST_BORDER = 0.3
"""The share of the frame's border that a plain region takes up, at least."""
LEAST_TEXTURED, MOST_TEXTURED = 0.25, 0.2
"""The textured share of the border that tells of the camera, at least; that things may take up, at most."""
SAME, LEAST_SAME = 1.0, 0.7
"""The distance in px to the camera's motion of what moves along; the least share of the textured cells that does."""
WINDOW = 7
"""The side in cells of the windows that are plain or not."""
MOST_SHOWN = 1.6
"""What windows show, at most, as a multiple of what they differ by."""
WORSE, WORSE_IN_ALL = 1.5, 1.2
"""What windows and whole regions differ by, at most, as a multiple of what they differ by along the flow."""
INVISIBLE = ROUNDING / 2
"""A squared difference that tells nothing, whatever explains it."""
MOST_EXCESS_OF_PIXELS = 2.2
"""As MOST_EXCESS, for the pixels around a region."""
BYTES = 64
"""The peak memory for a pixel of the frame; measured at 4K."""
REACH = 12
"""How far a region extends into plain pixels around it, at half the resolution; the second half of it is blended."""


def simplified(
    pairs: Sequence[FramePair], flow: Float[Tensor, "batch 2 height width"], *, backward: bool = False
) -> Float[Tensor, "batch 2 height width"]:
    """The flow of these pairs at their frames' size, with the simplest motion in plain regions."""
    flows = []
    for pair, one in zip(pairs, flow, strict=True):
        frames = (pair.second, pair.first) if backward else (pair.first, pair.second)
        first, second = (grey_on(flow.device, frame.image, frame.image.shape[:2]) for frame in frames)
        flows.append(simplify(first, second, one[None]))
    return torch.cat(flows)


def simplify(first: Plane, second: Plane, flow: Flow) -> Flow:
    """The same for one pair of frames in grey values from 0 to 255; flow in px."""
    height, width = flow.shape[-2:]
    if min(height, width) < 4 * CELL or not may_be_plain(first):
        return flow
    half = averaged(first, HALF)
    shown = by_scale(half)
    seen = compare(first, second, flow, half=half)
    noise = median_of_its_brightness(seen.squared, brightness=averaged(half, CELL // HALF).cpu())
    leaving = ~seen.inside & mostly((shown > TEXTURE * (variances(noise / 2) + ROUNDING)).any(dim=1, keepdim=True))
    coarse = averaged(flow, CELL).cpu()
    camera = camera_of(coarse, chosen=seen.textured, textured=seen.textured | leaving)
    if camera is None:
        return flow
    enlarged = F.interpolate(camera.to(flow.device), scale_factor=CELL, mode="bilinear", align_corners=False)
    simplest = enlarged[..., :height, :width]
    simple = compare(first, second, simplest, half=half)
    along = seen.textured & ((coarse - camera).norm(dim=1, keepdim=True) < SAME)
    region = plain_region(seen, simple, noise, background=along, still=not camera.any())
    if not region.any():
        return flow
    share = spread(region.to(flow.device), plain_pixels(half, seen, simple, noise.to(flow.device)))
    return flow + share[..., :height, :width] * (simplest - flow)


def may_be_plain(first: Plane) -> bool:
    """Whether enough of a frame's border shows no more than noise could; that of most frames does not."""
    shown = shown_at_border(first)
    plain = shown <= TEXTURE * variances(shown.new_full((1, 1, 1, 1), MOST_NOISE**2 / 2))[..., 0]
    return float(plain.all(dim=1).float().mean()) >= LEAST_BORDER


def shown_at_border(first: Plane) -> Float[Tensor, "1 scales cells"]:
    """`by_scale` of the cells at the border of the frame, from nothing but the three cells beside it."""
    rows, columns = (CELL * (-(-side // CELL) - 3) for side in first.shape[-2:])
    sides = first[..., : 3 * CELL, :], first[..., rows:, :], first[..., : 3 * CELL], first[..., columns:]
    top, bottom, left, right = (by_scale(averaged(side, HALF)) for side in sides)
    return torch.cat([top[..., 0, :], bottom[..., -1, :], left[..., 1:-1, 0], right[..., 1:-1, -1]], dim=-1)


def camera_of(coarse: Cells, *, chosen: Mask, textured: Mask) -> Cells | None:
    """The camera's flow in cells, fitted to that of the chosen ones; None if they do not tell.

    It is zero where the border shows hardly any texture: things that move there do not tell of the camera.
    """
    share = float(border(textured).float().mean())
    if share <= MOST_TEXTURED:
        return torch.zeros_like(coarse)
    if share < LEAST_TEXTURED or not chosen.any():
        return None
    camera = similarity(coarse, chosen)
    apart = (coarse - camera).norm(dim=1, keepdim=True)[chosen]
    return camera if float((apart < SAME).float().mean()) >= LEAST_SAME else None


def similarity(coarse: Cells, chosen: Mask) -> Cells:
    """The shift, turn and zoom nearest to the flow of the chosen cells: least absolute deviations, by reweighting."""
    x, y = pixel_grid(*coarse.shape[-2:], like=coarse).double()
    place, flow = torch.complex(x, y), torch.complex(*coarse[0].double())
    places, flows = place[chosen[0, 0]], flow[chosen[0, 0]]
    weights = torch.ones_like(places.real)
    for _ in range(6):
        centre, shift = ((weights * points).sum() / weights.sum() for points in (places, flows))
        arms = places - centre
        turn = (weights * arms.conj() * (flows - shift)).sum() / ((weights * arms.abs().square()).sum() + 1e-9)
        weights = 1 / (flows - shift - turn * arms).abs().clamp(min=0.1)
    fitted = shift + turn * (place - centre)
    return torch.stack([fitted.real, fitted.imag])[None].to(coarse.dtype)


def plain_region(seen: Comparison, simple: Comparison, noise: Cells, *, background: Mask, still: bool) -> Mask:
    """The cells that take the simplest motion; `background` is textured and follows the camera."""
    explained = simple.squared <= MOST_EXCESS * (noise + ROUNDING)
    plain, differing, before = plain_cells(seen, simple, explained)
    count, labels = cv2.connectedComponents(plain[0, 0].numpy().astype(np.uint8), connectivity=4)
    labelled = torch.from_numpy(labels)[None, None]
    places = border(labelled)
    against = ~explained & ~simple.textured & grown(background & ~plain, 2)
    region = torch.zeros_like(plain)
    for label in range(1, count):
        one = labelled == label
        if float((places == label).float().mean()) < LEAST_BORDER:
            continue
        edge = grown(one) & ~plain
        moving = int((edge & against).sum())
        own = 4 * moving > int(edge.sum()) if still else int((edge & simple.textured).sum()) < max(1, 3 * moving)
        means, allowed = (plane[:, :, one[0, 0]].mean(dim=2)[0] for plane in (differing, before))
        worse = (means > WORSE_IN_ALL * (allowed + variances(noise.new_tensor(ROUNDING))[:, 0, 0])).any()
        if not own and not (worse and simple.squared[one].mean() > INVISIBLE):
            region |= one
    return region


def plain_cells(seen: Comparison, simple: Comparison, explained: Mask) -> tuple[Mask, Cells, Cells]:
    """The cells that are plain, and what windows differ by along the simplest motion and along the flow."""
    sane = explained & (simple.showing[:, :1] <= TEXTURE * (simple.differing[:, :1] + ROUNDING))
    # At the larger scales the Laplacian of a cell reaches into its neighbours.
    masks = torch.cat([sane, *[~grown(~sane)] * (len(SCALES) - 1)], dim=1).float()
    differing, before, showing = (within(cells, masks) for cells in (simple.differing, seen.differing, simple.showing))
    tolerance = ROUNDING / differing.new_tensor(SCALES)[:, None, None]
    plain = sane & (showing <= MOST_SHOWN * (differing + ROUNDING)).all(dim=1, keepdim=True)
    as_well = (differing <= WORSE * before + tolerance).all(dim=1, keepdim=True)
    plain &= as_well | (within(simple.squared, sane.float()) <= INVISIBLE)
    return plain | (sane & (around(plain.float(), 3) > 0.6)), differing, before


def within(cells: Cells, masks: Cells) -> Cells:
    """The means of windows, of the cells in the masks; 0 where there are none."""
    return around(cells * masks, WINDOW) / around(masks, WINDOW).clamp(min=1e-6)


def plain_pixels(half: Plane, seen: Comparison, simple: Comparison, noise: Cells) -> Mask:
    """At half the resolution: where the simplest motion explains what is around, which shows no texture."""
    rows, columns = half.shape[-2:]
    usual = F.interpolate(noise, scale_factor=CELL // HALF)[..., :rows, :columns]
    before, after, shown = (around(plane, 3) for plane in (seen.half, simple.half, laplacian(half)))
    plain = (after <= MOST_EXCESS_OF_PIXELS * (usual + ROUNDING)) & (after <= WORSE * before + ROUNDING)
    plain &= shown <= MOST_EXCESS_OF_PIXELS * (usual / 2 / HALF**2 + ROUNDING)
    return around(plain.float(), 5) > 0.5


def spread(region: Mask, plain: Mask) -> Plane:
    """The share of the simplest motion at every pixel: 1 in the region, and falling in the plain pixels around it."""
    rows, columns = plain.shape[-2:]
    inside = F.interpolate(region.float(), scale_factor=CELL // HALF)[..., :rows, :columns]
    share = inside
    for _ in range(REACH):
        nearest = F.max_pool2d(F.max_pool2d(share, (3, 1), 1, (1, 0)), (1, 3), 1, (0, 1))
        share = torch.maximum(inside, (nearest - 1 / REACH) * plain)
    return F.interpolate((2 * share).clamp(max=1), scale_factor=HALF, mode="bilinear", align_corners=False)


def border(cells: Float[Tensor, "*one rows columns"]) -> Float[Tensor, " cells"]:
    """The cells at the border of the frame, each once."""
    sides = [cells[..., 0, :], cells[..., -1, :], cells[..., 1:-1, 0], cells[..., 1:-1, -1]]
    return torch.cat([side.flatten() for side in sides])
