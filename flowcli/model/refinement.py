"""Refinement: mends flow at the frames' own resolution, by passes that lower a variational energy and by a network.

RAFT computes flow on a grid of 1/8; its weakness is what is smaller than a cell: sub-pixel motion, edges, thin things.
EpicFlow (Revaud et al., CVPR 2015) and DIS (Kroeger et al., ECCV 2016) end with variational passes too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812

from flowcli.model import variational
from flowcli.model.refiner import PIXELS_AT_ONCE, Refiner, refiner_on
from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowcli.model.variational import Flow, Plane

STATED = {"refine": "variational"}
"""What a file of weights states if `--refine auto` refines their flow, as each quality does: those trained here do."""
RELAXATIONS = 5
"""Sweeps of successive over-relaxation in a fixed-point iteration."""


@dataclass(frozen=True)
class Refinement:
    """Passes at each size, from the smallest to the full one, each size twice the one before.

    A pass warps the second frame once, takes so many fixed-point `iterations`, and ends with a median filter (Sun, Roth
    and Black, CVPR 2010), against specks. Passes at smaller sizes reach further, at a fraction of the cost. The frames
    are smoothed slightly before. If it is `learned`, a network follows, of the file `weights` with this
    `sha256` or the one that is part of flowcli, and then one pass of `last` iterations. The full size is that of the
    frames, even where flow is computed at a smaller one, unless `at_computed_size`.
    """

    passes: tuple[int, ...] = (3, 1)
    iterations: int = 5
    learned: bool = False
    last: int = 1
    weights: str | None = None
    sha256: str | None = None
    at_computed_size: bool = False

    def apply(self, first: Plane, second: Plane, flow: Flow) -> Flow:
        """The refined flow (batch, 2, height, width) in px, of grey frames (batch, 1, height, width) from 0 to 255."""
        smooth = smoothed(first), smoothed(second)
        refined = descend(*smooth, flow, passes=self.passes, iterations=self.iterations)
        if not self.learned:
            return refined
        corrected = self.correct(first, second, refined, before=flow)
        return descend(*smooth, corrected, passes=(1,), iterations=self.last)

    def correct(self, first: Plane, second: Plane, refined: Flow, *, before: Flow) -> Flow:
        """The flow after the network; `before` is RAFT's own flow."""
        refiner = self.refiner(refined.device)
        if refined.device.type != "cpu":
            corrected: Flow = refiner(first, second, refined, before=before)
            return corrected
        # A pair's flow must not depend on the other pairs, not even in its last bit.
        parts = zip(*(torch.split(planes, 1) for planes in (first, second, refined, before)), strict=True)
        return torch.cat([refiner(one, other, flow, before=raw) for one, other, flow, raw in parts])

    def bytes(self, pixels: int, device: torch.device) -> int:
        """The peak memory of refining a pair of so many pixels; measured at 1080p and 4K."""
        if device.type != "cpu":
            return 690 * pixels
        return 180 * pixels + (90 * min(pixels, PIXELS_AT_ONCE) if self.learned else 0)

    def refiner(self, device: torch.device) -> Refiner:
        """The network, on the device."""
        return refiner_on(device, self.weights, sha256=self.sha256)


LEARNED = Refinement(passes=(3, 0), learned=True)
"""The network after passes at half the size."""


def descend(first: Plane, second: Plane, flow: Flow, *, passes: Sequence[int], iterations: int) -> Flow:
    """The flow after all passes over these frames as they are; `passes` and `iterations` are those of a Refinement."""
    *smaller, here = passes
    if smaller:
        halves = [F.avg_pool2d(plane, 2, ceil_mode=True) for plane in (first, second, flow / 2)]
        moved = descend(*halves, passes=smaller, iterations=iterations) - halves[-1]
        moved = F.interpolate(2 * moved, scale_factor=2, mode="bilinear", align_corners=False)
        flow = flow + moved[..., : flow.shape[-2], : flow.shape[-1]]
    lower = by_opencv if flow.device.type == "cpu" else variational.refine
    median = median_by_opencv if flow.device.type == "cpu" else variational.median
    for _ in range(here):
        flow = median(lower(first, second, flow, iterations=iterations, relaxations=RELAXATIONS))
    return flow


def smoothed(plane: Plane) -> Plane:
    """The frame after [1, 6, 1] / 8 in both directions, its border repeated: its gradients alias less."""
    padded = F.pad(plane, (1, 1, 1, 1), mode="replicate")
    rows = (padded[..., :-2, :] + 6 * padded[..., 1:-1, :] + padded[..., 2:, :]) / 8
    return (rows[..., :-2] + 6 * rows[..., 1:-1] + rows[..., 2:]) / 8


def by_opencv(first: Plane, second: Plane, flow: Flow, *, iterations: int, relaxations: int) -> Flow:
    """What `variational.refine` computes, by OpenCV: several times as fast on a CPU."""
    method = cv2.VariationalRefinement.create()
    method.setAlpha(variational.SMOOTHNESS)
    method.setDelta(variational.BRIGHTNESS)
    method.setGamma(variational.GRADIENT)
    method.setFixedPointIterations(iterations)
    method.setSorIterations(relaxations)
    refined = flow.contiguous().clone()
    for one, other, (u, v) in zip(first, second, refined.numpy(), strict=True):
        try:
            method.calcUV(one[0].numpy(), other[0].numpy(), u, v)
        except cv2.error as error:
            raise MemoryError(error.err) if error.code == cv2.Error.StsNoMem else error from error
    return refined


def median_by_opencv(flow: Flow) -> Flow:
    """What `variational.median` computes, by OpenCV."""
    filtered = [[torch.from_numpy(cv2.medianBlur(plane.numpy(), 5)) for plane in pair] for pair in flow.contiguous()]
    return torch.stack([torch.stack(planes) for planes in filtered])
