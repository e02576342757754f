"""Variational refinement of flow on tensors: brightness, gradient and smoothness under one robust energy.

Brox, Bruhn, Papenberg and Weickert, "High accuracy optical flow estimation based on a theory for warping" (ECCV 2004),
with the normalised data terms of Zimmer, Bruhn and Weickert (IJCV 2011), as DIS minimises it (Kroeger et al., ECCV
2016). OpenCV's `VariationalRefinement` computes the same on a CPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812

from raft_core.grid import pixel_grid, sample

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

    Plane = Float[Tensor, "batch 1 height width"]
    Flow = Float[Tensor, "batch 2 height width"]

SMOOTHNESS, BRIGHTNESS, GRADIENT = 25.0, 5.0, 20.0
"""The weights of the terms of the energy, for grey values from 0 to 255."""
OVER_RELAXATION = 1.6
NORMALISATION = 0.1**2
"""Keeps the data terms' normalisation finite where the image is flat."""
ROBUSTNESS = 0.001**2
"""epsilon² of the penaliser sqrt(s² + epsilon²)."""


class Derivatives(NamedTuple):
    """Differences of the mean of the first and the warped second image, and of their difference z in time."""

    x: Plane
    y: Plane
    z: Plane
    xx: Plane
    xy: Plane
    yy: Plane
    xz: Plane
    yz: Plane


class System(NamedTuple):
    """The linear system of one fixed-point iteration: [[xx, xy], [xy, yy]] · (du, dv) = (x, y) + smoothness."""

    xx: Plane
    xy: Plane
    yy: Plane
    x: Plane
    y: Plane


class Smoothness(NamedTuple):
    """Diffusivity between a pixel and its neighbours to the right and below; zero across the border."""

    right: Plane
    below: Plane


def refine(first: Plane, second: Plane, flow: Flow, *, iterations: int, relaxations: int) -> Flow:
    """Lowers the energy of `flow` from `first` to `second` (grey, 0 to 255) near where it is.

    The second image is warped once; `iterations` fixed-point iterations renew the robust weights, and each solves its
    linear system by `relaxations` sweeps of red-black successive over-relaxation.
    """
    derivatives = derivatives_of(first, warped(second, flow))
    even = checkerboard(flow)
    change = torch.zeros_like(flow)
    for _ in range(iterations):
        smoothness = smoothness_of(flow + change)
        system = system_of(derivatives, change)
        change = relax(system, smoothness, flow, change, even=even, sweeps=relaxations)
    return flow + change


def warped(image: Plane, flow: Flow) -> Plane:
    """`image` pulled back along `flow`, its border repeated outwards."""
    height, width = image.shape[-2:]
    return sample(image, pixel_grid(height, width, like=flow) + flow, outside="border")


def derivatives_of(first: Plane, second: Plane) -> Derivatives:
    """All differences that the data terms need."""
    mean, z = (first + second) / 2, second - first
    x, y = across(mean), down(mean)
    return Derivatives(x, y, z, across(x), down(x), down(y), across(z), down(z))


def across(plane: Plane) -> Plane:
    """Right minus left neighbour, the border repeated."""
    padded = F.pad(plane, (1, 1, 0, 0), mode="replicate")
    return padded[..., 2:] - padded[..., :-2]


def down(plane: Plane) -> Plane:
    """Lower minus upper neighbour, the border repeated."""
    padded = F.pad(plane, (0, 0, 1, 1), mode="replicate")
    return padded[..., 2:, :] - padded[..., :-2, :]


def system_of(d: Derivatives, change: Flow) -> System:
    """The data terms' part of the system, with robust weights at the present `change`."""
    du, dv = change.chunk(2, dim=1)
    norm = d.x.square() + d.y.square() + NORMALISATION
    residual = d.z + d.x * du + d.y * dv
    brightness = BRIGHTNESS / 2 / (residual.square() / norm + ROBUSTNESS).sqrt() / norm
    norm_x = d.xx.square() + d.xy.square() + NORMALISATION
    norm_y = d.yy.square() + d.xy.square() + NORMALISATION
    residual_x = d.xz + d.xx * du + d.xy * dv
    residual_y = d.yz + d.xy * du + d.yy * dv
    gradient = GRADIENT / 2 / (residual_x.square() / norm_x + residual_y.square() / norm_y + ROBUSTNESS).sqrt()
    gradient_x, gradient_y = gradient / norm_x, gradient / norm_y
    return System(
        xx=brightness * d.x.square() + gradient_x * d.xx.square() + gradient_y * d.xy.square() + NORMALISATION,
        xy=brightness * d.x * d.y + gradient_x * d.xx * d.xy + gradient_y * d.xy * d.yy,
        yy=brightness * d.y.square() + gradient_x * d.xy.square() + gradient_y * d.yy.square() + NORMALISATION,
        x=-(brightness * d.x * d.z + gradient_x * d.xx * d.xz + gradient_y * d.xy * d.yz),
        y=-(brightness * d.y * d.z + gradient_x * d.xy * d.xz + gradient_y * d.yy * d.yz),
    )


def smoothness_of(flow: Flow) -> Smoothness:
    """Robust diffusivity of the flow's forward differences."""
    right = F.pad(flow[..., 1:] - flow[..., :-1], (0, 1))
    below = F.pad(flow[..., 1:, :] - flow[..., :-1, :], (0, 0, 0, 1))
    steepness = (right.square() + below.square()).sum(dim=1, keepdim=True)
    diffusivity = SMOOTHNESS / 2 / (steepness + ROBUSTNESS).sqrt()
    return Smoothness(F.pad(diffusivity[..., :-1], (0, 1)), F.pad(diffusivity[..., :-1, :], (0, 0, 0, 1)))


def relax(
    system: System,
    smoothness: Smoothness,
    flow: Flow,
    change: Flow,
    *,
    even: Bool[Tensor, "height width"],
    sweeps: int,
) -> Flow:
    """Successive over-relaxation of the pixels of even row + column, then of the others, `sweeps` times."""
    right, below = smoothness
    left, above = F.pad(right[..., :-1], (1, 0)), F.pad(below[..., :-1, :], (0, 0, 1, 0))
    total = left + right + above + below
    neighbours = (left, right, above, below)
    x_diagonal, y_diagonal = system.xx + total, system.yy + total
    # Smoothness pulls the whole flow, of which `change` is what is solved for.
    x, y = (torch.cat((system.x, system.y), dim=1) + diffused(flow, neighbours) - total * flow).chunk(2, dim=1)
    for _ in range(sweeps):
        for half in (even, ~even):
            du, dv = change.chunk(2, dim=1)
            pull_x, pull_y = diffused(change, neighbours).chunk(2, dim=1)
            new_u = du + OVER_RELAXATION * ((x + pull_x - system.xy * dv) / x_diagonal - du)
            new_v = dv + OVER_RELAXATION * ((y + pull_y - system.xy * new_u) / y_diagonal - dv)
            change = torch.where(half, torch.cat((new_u, new_v), dim=1), change)
    return change


def diffused(plane: Flow, neighbours: tuple[Plane, Plane, Plane, Plane]) -> Flow:
    """The sum of the four neighbours, each times its diffusivity."""
    left, right, above, below = neighbours
    padded = F.pad(plane, (1, 1, 1, 1))
    return (
        left * padded[..., 1:-1, :-2]
        + right * padded[..., 1:-1, 2:]
        + above * padded[..., :-2, 1:-1]
        + below * padded[..., 2:, 1:-1]
    )


def checkerboard(flow: Flow) -> Bool[Tensor, "height width"]:
    """True where row + column is even."""
    rows, columns = (torch.arange(side, device=flow.device) for side in flow.shape[-2:])
    return (rows[:, None] + columns) % 2 == 0


def median(flow: Flow) -> Flow:
    """The median of the 5 x 5 pixels around each, for each component; the border is repeated."""
    height, width = flow.shape[-2:]
    padded = F.pad(flow, (2, 2, 2, 2), mode="replicate")
    shifted = [padded[..., y : y + height, x : x + width] for y in range(5) for x in range(5)]
    return torch.stack(shifted).median(dim=0).values
