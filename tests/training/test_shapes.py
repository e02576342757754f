from __future__ import annotations

import math
from dataclasses import replace

import torch

from flowcli.training.synthesis.batched import Dice
from flowcli.training.synthesis.shapes import Shapes, coverage, draw_shapes, unit_coordinates

SIDE = 64
NONE = torch.zeros(1, dtype=torch.bool)


def disc(*, radius: float, squeeze: float = 1.0, ring: float = -1.0) -> Shapes:
    """An ellipse with horizontal and vertical axes in the middle of the frame."""
    drawn = draw_shapes(Dice(0), torch.zeros(1, 1, dtype=torch.bool), NONE.expand(1), height=SIDE, width=SIDE)
    return replace(
        drawn,
        center=torch.full((1, 1, 2), SIDE / 2 - 0.5),
        to_unit=torch.diag(torch.tensor([1 / radius, 1 / (radius * squeeze)]))[None, None],
        radius=torch.ones_like(drawn.radius),
        ring=torch.full((1, 1), ring),
        holes=torch.full((1, 1, 3, 3), -1e4),
    )


def area(shape: Shapes) -> float:
    y, x = torch.meshgrid(torch.arange(SIDE + 0.0), torch.arange(SIDE + 0.0), indexing="ij")
    layer = shape.to(torch.device("cpu")).layer(0)
    points = torch.stack([x, y])[None]
    return float(coverage(layer, points, unit_coordinates(layer, points)).sum())


def test_the_covered_area_of_an_ellipse_is_pi_times_its_axes() -> None:
    assert math.isclose(area(disc(radius=20)), math.pi * 400, rel_tol=0.01)
    assert math.isclose(area(disc(radius=25, squeeze=0.3)), math.pi * 25 * 7.5, rel_tol=0.02)


def test_a_pole_of_three_pixels_keeps_its_area() -> None:
    assert math.isclose(area(disc(radius=25, squeeze=0.06)), math.pi * 25 * 1.5, rel_tol=0.15)


def test_a_ring_does_not_cover_its_middle() -> None:
    assert math.isclose(area(disc(radius=20, ring=0.5)), math.pi * (400 - 100), rel_tol=0.01)


def test_outlines_are_within_their_bounding_boxes() -> None:
    shapes = draw_shapes(Dice(1), torch.zeros(200, 1, dtype=torch.bool), NONE.expand(200), height=SIDE, width=SIDE)
    turn = torch.arange(257) * 2 * math.pi / 256
    unit = torch.stack([turn.cos(), turn.sin()]) * shapes.radius[:, 0, None]
    edge = torch.linalg.inv(shapes.to_unit[:, 0]) @ unit
    assert (edge.abs().amax(-1) <= shapes.reach[:, 0] + 1e-6).all()
    assert shapes.radius.isfinite().all()
