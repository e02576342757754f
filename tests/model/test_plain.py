"""Plain regions beside things that move, and plain things that move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from flowcli.model.plain import border, shown_at_border, simplify
from flowcli.model.texture import HALF, averaged, by_scale
from tests.model.test_still import shifted, texture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Picture = NDArray[np.float32]
    Masks = tuple[NDArray[np.bool_], NDArray[np.bool_]]

HEIGHT, WIDTH = 200, 300
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
SKY: Picture = 120 + 0.3 * ROWS
GROUND = texture()
INVENTED = (9.0, 5.0)


def disc(x: float, y: float = 100, radius: float = 40) -> NDArray[np.bool_]:
    return np.asarray(np.hypot(COLUMNS - x, ROWS - y) < radius)


def layered(picture: Picture, behind: Picture, mask: NDArray[np.bool_]) -> Picture:
    return np.where(mask, picture, behind).astype(np.float32)


def flow_of(mask: NDArray[np.bool_], within: tuple[float, float], around: tuple[float, float]) -> Picture:
    return np.where(mask[..., np.newaxis], np.float32(within), np.float32(around))


def after(first: Picture, second: Picture, flow: Picture, *, noise: float = 0.0) -> Picture:
    """The simplified flow, of pictures with Gaussian noise of their own and rounded to grey levels."""
    dice = np.random.default_rng(1)
    seen = [np.clip(picture + dice.normal(size=picture.shape) * noise, 0, 255).round() for picture in (first, second)]
    one, other = (torch.from_numpy(picture.astype(np.float32))[None, None] for picture in seen)
    simplified = simplify(one, other, torch.from_numpy(flow).permute(2, 0, 1)[None])
    return np.asarray(simplified[0].permute(1, 2, 0).numpy(), np.float32)


def error(flow: Picture, truth: tuple[float, float], where: NDArray[np.bool_]) -> float:
    return float(np.linalg.norm(flow - np.float32(truth), axis=2)[where].mean())


@pytest.mark.parametrize("noise", [0, 1, 4])
def test_a_wall_behind_a_moving_disc_stands_still_and_the_disc_keeps_its_flow(noise: float) -> None:
    first, second = (layered(shifted(GROUND, x - 140), SKY, disc(x)) for x in (140, 147))
    flow = after(first, second, flow_of(disc(140), (7, 0), INVENTED), noise=noise)
    assert error(flow, (0, 0), ~disc(140, radius=52) & ~disc(147, radius=52)) < 0.3
    assert error(flow, (7, 0), disc(140, radius=34)) < 0.01


@pytest.mark.parametrize("noise", [0, 1, 4])
def test_a_plain_sky_takes_the_motion_of_the_ground_that_is_panned(noise: float) -> None:
    sky, moved = (HEIGHT // 2 + 8 * np.sin((COLUMNS + x) / 20) > ROWS for x in (0, 4))
    first, second = layered(SKY, GROUND, sky), layered(SKY, shifted(GROUND, -4), moved)
    flow = after(first, second, flow_of(sky, INVENTED, (-4, 0)), noise=noise)
    assert error(flow, (-4, 0), ROWS < HEIGHT // 2 - 14) < 0.3


@pytest.mark.parametrize("noise", [0, 2])
@pytest.mark.parametrize(
    "masks",
    [(disc(140), disc(146)), (disc(140, 200, 70), disc(146, 200, 70)), (COLUMNS > 150, COLUMNS > 156)],
    ids=["within the frame", "cut by its border", "across it"],
)
def test_a_plain_thing_that_moves_before_texture_keeps_its_flow(masks: Masks, noise: float) -> None:
    first, second = (layered(SKY, GROUND, mask) for mask in masks)
    flow = flow_of(masks[0], (6, 0), (0, 0))
    np.testing.assert_array_equal(after(first, second, flow, noise=noise), flow)


@pytest.mark.parametrize("noise", [0, 2])
def test_a_plain_disc_that_moves_before_a_plain_wall_keeps_its_flow(noise: float) -> None:
    first, second = (layered(SKY + 60, SKY, disc(x)) for x in (140, 146))
    flow = after(first, second, flow_of(disc(140), (6, 0), INVENTED), noise=noise)
    assert error(flow, (0, 0), ~disc(140, radius=52)) < 0.3
    assert error(flow, (6, 0), disc(140, radius=34)) < 0.01


@pytest.mark.parametrize("noise", [0, 1])
def test_faint_texture_that_flow_explains_keeps_its_flow(noise: float) -> None:
    faint = 128 + (GROUND - 128) / 24
    flow = flow_of(disc(0), (2, 0), (2, 0))
    np.testing.assert_array_equal(after(faint, shifted(faint, 2), flow, noise=noise), flow)


def test_textured_frames_keep_their_flow() -> None:
    flow = flow_of(disc(0), INVENTED, (3, 0))
    np.testing.assert_array_equal(after(GROUND, shifted(GROUND, 3), flow, noise=2), flow)


def test_frames_too_small_to_tell_keep_their_flow() -> None:
    flow = flow_of(disc(0), INVENTED, INVENTED)[:20]
    np.testing.assert_array_equal(after(SKY[:20], SKY[:20], flow), flow)


@pytest.mark.parametrize("size", [(32, 40), (61, 83), (120, 71)])
def test_the_border_is_judged_from_what_is_beside_it(size: tuple[int, int]) -> None:
    frame = 255 * torch.rand(1, 1, *size)
    shown = by_scale(averaged(frame, HALF))
    at_border = torch.stack([border(plane) for plane in shown[0]])
    torch.testing.assert_close(shown_at_border(frame)[0], at_border)
