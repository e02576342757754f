from __future__ import annotations

import torch

from flowcli.training.synthesis.backdrops import draw_backdrops
from flowcli.training.synthesis.batched import Dice
from flowcli.training.synthesis.motion_sampling import draw_kinds, draw_motions
from flowcli.training.synthesis.motions import backwards, forwards
from flowcli.training.synthesis.settings import SceneSettings
from flowcli.training.synthesis.shapes import draw_shapes

HEIGHT, WIDTH = 96, 128


def test_backward_motion_inverts_forward_motion_to_a_hundredth_of_a_pixel() -> None:
    dice, settings = Dice(4), SceneSettings(bent=1)
    backdrops = draw_backdrops(dice, settings, 40, height=HEIGHT, width=WIDTH)
    none = torch.zeros(40, dtype=torch.bool)
    shapes = draw_shapes(dice, torch.zeros(40, 3, dtype=torch.bool), none, height=HEIGHT, width=WIDTH)
    kinds = draw_kinds(dice, settings, 40)
    drawn = draw_motions(dice, settings, shapes, kinds, backdrops, height=HEIGHT, width=WIDTH)
    motions = drawn.to(torch.device("cpu"))
    y, x = torch.meshgrid(torch.arange(HEIGHT + 0.0), torch.arange(WIDTH + 0.0), indexing="ij")
    pixels = torch.stack([x, y]).expand(40, 2, HEIGHT, WIDTH)
    for layer in range(3):
        motion = motions.layer(layer)
        points = backwards(motion, pixels, bends=True)
        again = forwards(motion, points, bends=True)
        assert (again - pixels).abs().max() < 0.01


def test_every_kind_of_motion_occurs_with_its_probability() -> None:
    kinds = draw_kinds(Dice(0), SceneSettings(static=0.1, subpixel=0.2, sideways=0.0, approaching=0.3), 4000)
    shares = torch.bincount(kinds, minlength=5) / 4000
    assert torch.allclose(shares, torch.tensor([0.4, 0.1, 0.2, 0.0, 0.3]), atol=0.03)
