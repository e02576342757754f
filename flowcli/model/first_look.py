"""A first look: flow at half of the size to compute at, which is kept where it says what the frames show.

Half the size is a quarter of the work. RAFT's error is proportional to its cell of 8 px; where motion is calm,
refinement at both sizes makes up for a cell that is twice as large. A pair is calm if its flow converges within two
updates, and if nothing visible is left that the flow does not explain: a ball that flies fast may be too small to be
seen at half the size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812

from flowcli.model.refinement import Refinement
from flowcli.model.refiner import box
from flowcli.model.still import MOST_NOISE
from flowcli.model.texture import grown
from flowcli.model.variational import across, down, warped
from raft_core.grid import is_inside, pixel_grid
from raft_core.raft import converge, is_settled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Bool, Int
    from torch import Tensor

    from flowcli.model.variational import Flow, Plane
    from raft_core.raft import Update

UPDATES = 2
TOLERANCE = 1.0
"""How far the second update may move a twentieth of the cells, in px of half the size, as `raft_core.converge` says."""
WINDOW = 15
"""The side of the windows in which both frames are compared, in px of half the size."""
MISPLACED = 0.5
"""By how many of these px flow may be wrong, anywhere."""
NOISE, LEAST_NOISE = 3.0, 4.0
"""Noise as a multiple of the median difference, if that is not too much, and what is added to it, in grey levels."""
MOST_UNEXPLAINED = 2.0
"""The squared difference that may be left in a window, as a multiple of what such flow and noise leave."""
COVERED = 1.3
"""Pixels that more than so many reach, on average over their neighbours, are covered by another surface."""
BORDER = 5
"""The side of the square around a covered pixel that is not judged."""

SMALL = Refinement(passes=(6, 0), learned=True, last=5, at_computed_size=True)
"""The refinement of flow at the size that it is computed at, which is smaller than the frames'."""


@dataclass(frozen=True)
class FirstLook:
    """Refinement of the first look: `small` at half the size, then `full` at the size to refine at."""

    small: Refinement = SMALL
    full: Refinement = Refinement(passes=(1, 0), learned=True)  # noqa: RUF009 - frozen

    def by(self, refinement: Refinement) -> FirstLook:
        """The same with this refinement's network."""
        weights, sha256 = refinement.weights, refinement.sha256
        looks = (replace(refinement, weights=weights, sha256=sha256) for refinement in (self.small, self.full))
        return FirstLook(*looks)


def first_updates(updates: Iterator[Update]) -> tuple[Update, list[int], list[bool]]:
    """The flow after the updates of a first look, the number for every pair, and whether it has converged."""
    final, taken = converge(updates, at_most=UPDATES, tolerance=TOLERANCE)
    at_last = is_settled(final, tolerance=TOLERANCE)
    return final, taken, [count < UPDATES or rests for count, rests in zip(taken, at_last, strict=True)]


def explains(flow: Flow, first: Plane, second: Plane) -> list[bool]:
    """Whether the first frames differ from the second ones pulled back along the flow as noise and texture make them.

    A small thing whose motion is missed differs in a band as wide as that motion, by more than the texture beside it
    would if the flow were wrong by half a px. Pixels that leave the frame, or that the flow itself covers by others,
    are not judged.
    """
    height, width = flow.shape[-2:]
    points = pixel_grid(height, width, like=flow) + flow
    inside = is_inside(points, height=height, width=width)
    x, y = points.unbind(1)
    column, row = x.round().long().clamp(0, width - 1), y.round().long().clamp(0, height - 1)
    reached = (row * width + column).flatten(1)
    covered = torch.stack([is_covered(targets, pixels) for targets, pixels in zip(reached, inside, strict=True)])
    second = warped(second, flow)
    squared = (second - first).square() * (inside & ~covered)[:, None]
    noise = (NOISE * squared.flatten(1).median(dim=1).values.sqrt()).clamp(max=MOST_NOISE) + LEAST_NOISE
    texture = MISPLACED**2 * torch.maximum(steepness(first), steepness(second))
    left = in_windows(squared) / (in_windows(texture) + noise.square()[:, None, None, None])
    return [most <= MOST_UNEXPLAINED for most in left.amax(dim=(1, 2, 3)).tolist()]


def steepness(plane: Plane) -> Plane:
    """The squared gradient, in grey levels per px."""
    return (across(plane).square() + down(plane).square()) / 4


def in_windows(plane: Plane) -> Plane:
    """The means of windows, which overlap by two thirds."""
    return F.avg_pool2d(plane, WINDOW, stride=WINDOW // 3, padding=WINDOW // 2)


def is_covered(reached: Int[Tensor, " pixels"], inside: Bool[Tensor, "height width"]) -> Bool[Tensor, "height width"]:
    """Whether each pixel, or one beside it, moves to where others move too; `reached` is the number of that pixel."""
    moving = inside.flatten().float()
    arrivals = torch.zeros_like(moving).index_add_(0, reached, moving)
    density = box(arrivals.view(1, 1, *inside.shape))
    return grown((density.flatten()[reached] > COVERED).view(1, 1, *inside.shape), BORDER // 2)[0, 0]
