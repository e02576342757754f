"""Pairs in which nothing moves, which no model is needed to see: the same to the bit, or up to noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from flowcli.flow.estimate import Estimate
from flowcli.media.device_image import DeviceImage
from flowcli.model.resize import grey_on

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from flowcli.media.frames import FramePair
    from flowcli.model.settings import Settings

SCALES = (8, 4, 2, 1)
"""The sizes in px to which frames are averaged, the cheapest first: most pairs that move are told there."""
WINDOW = 8
"""The side of the windows whose differences are compared, in averaged px."""
REGION = 4
"""The side of the regions whose motion is tested, in windows."""
MOST_NOISE = 12.0
"""The greatest root mean square difference of two frames that can be noise, in grey levels."""
MOST_EXCESS = 3.2
"""The greatest squared difference of a window, as a multiple of the median of windows about as bright."""
MOST_EXPLAINED = 0.06
"""The greatest share of the squared difference of a region that a shift of all of it may explain."""
ROUNDING = 0.5
"""A squared difference that rounding to grey levels alone can make."""


def is_still(pair: FramePair, device: torch.device) -> bool:
    """Whether both frames show the same, to the bit or up to noise."""
    first, second = pair.first.image, pair.second.image
    if isinstance(first, DeviceImage) and isinstance(second, DeviceImage):
        same = torch.equal(first.tensor, second.tensor)
    else:
        same = first is second or np.array_equal(first, second)
    size = first.shape[:2]
    return same or only_noise_differs(grey_on(device, first, size), grey_on(device, second, size))


def only_noise_differs(first: Float[Tensor, "1 1 height width"], second: Float[Tensor, "1 1 height width"]) -> bool:
    """Whether two frames, in grey levels, differ as noise does: as much everywhere, and nowhere as motion does.

    Tested at several scales. Noise may grow with brightness, so that windows are compared with others as bright.
    A region moves if the difference of the frames follows their gradient, by the least squares of Lucas and Kanade
    (1981): a shift (u, v) explains Ix u + Iy v of it. A motion of 0.05 px of a textured frame shows in noise of two
    grey levels, one of 0.1 px in noise of four; frames of less than two windows a side are never still, and frames too
    small for the largest scale with less noise only, as what soft texture makes by moving would pass for it.
    """
    side = min(first.shape[-2:])
    if side < 2 * WINDOW:
        return False
    noise = all(
        _is_noise(F.avg_pool2d(first, scale), F.avg_pool2d(second, scale), rounding=ROUNDING / scale**2)
        for scale in SCALES
        if side >= 2 * WINDOW * scale
    )
    most = MOST_NOISE * min(1, side / (2 * WINDOW * max(SCALES)))
    return noise and float((second - first).square().mean()) <= most**2


def _is_noise(
    first: Float[Tensor, "1 1 rows columns"], second: Float[Tensor, "1 1 rows columns"], *, rounding: float
) -> bool:
    difference, mean = second - first, (first + second) / 2
    squared = F.avg_pool2d(difference.square(), WINDOW)
    usual = median_of_its_brightness(squared, brightness=F.avg_pool2d(mean, WINDOW))
    if bool((squared > MOST_EXCESS * (usual + rounding)).any()):
        return False
    gradients = F.conv2d(F.pad(mean, (1, 1, 1, 1), mode="replicate"), _gradients(mean))
    x, y = gradients[:, :1], gradients[:, 1:]
    products = torch.cat([x * x, x * y, y * y, x * difference, y * difference, difference.square()], dim=1)
    side = [min(WINDOW * REGION, length) for length in difference.shape[-2:]]
    xx, xy, yy, xd, yd, dd = F.avg_pool2d(products, side).cpu().double().unbind(1)
    # A little more than the gradients themselves: where there are none, no shift explains anything.
    xx, yy = xx + 1e-3, yy + 1e-3
    explained = (yy * xd.square() - 2 * xy * xd * yd + xx * yd.square()) / (xx * yy - xy.square())
    return not bool((explained > MOST_EXPLAINED * (dd + rounding / 25)).any())


def median_of_its_brightness(
    squared: Float[Tensor, "1 1 rows columns"], *, brightness: Float[Tensor, "1 1 rows columns"]
) -> Float[Tensor, "1 1 rows columns"]:
    """For each window the median of those about as bright, in the noisiest of three neighbouring eighths of all.

    Of three, because the darkest and the brightest windows may be clipped and show no noise.
    """
    order = brightness.flatten().argsort()
    parts = order.tensor_split(max(1, min(8, len(order) // 32)))
    medians = torch.stack([squared.flatten()[part].median() for part in parts])
    medians = F.max_pool1d(medians[None, None], 3, stride=1, padding=1).flatten()
    result = torch.empty_like(squared).flatten()
    for part, median in zip(parts, medians, strict=True):
        result[part] = median
    return result.view_as(squared)


def _gradients(image: Tensor) -> Float[Tensor, "2 1 3 3"]:
    """Sobel's kernels, in grey levels per px."""
    across = image.new_tensor([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
    return torch.stack([across, across.T])[:, None]


def still_estimate(pair: FramePair, *, settings: Settings, device: torch.device) -> Estimate:
    """The flow of a still pair, zero, after no update."""
    height, width = pair.first.image.shape[:2]
    zero = torch.zeros(2, height, width, dtype=torch.float32, device=device)
    both = settings.direction == "both"
    return Estimate(
        pair=pair,
        forward=None if settings.direction == "backward" else zero,
        backward=None if settings.direction == "forward" else zero,
        occluded=torch.zeros(height, width, dtype=torch.bool, device=device) if both else None,
        iterations=0,
        warm=False,
    )
