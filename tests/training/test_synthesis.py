from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import torch

from flowcli.errors import SourceError, UsageError
from flowcli.training.synthesis import Scenes, SceneSettings, TextureBank, render
from flowcli.training.synthesis import scenes as scenes_module

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

HEIGHT, WIDTH = 96, 128
CLEAR = replace(SceneSettings(), fog=0, shadows=0, defocus=0, motion_blur=0, noise=0, compressed=0, low_light=0)
TEXTURED = replace(CLEAR, flat=0, faint=0, plain=0, particles=0)


@pytest.fixture(scope="module")
def bank() -> TextureBank:
    return TextureBank.procedural(seed=3, device="cpu")


def scenes_of(bank: TextureBank, settings: SceneSettings, *, count: int = 12, seed: int = 5) -> Scenes:
    return render(bank, count=count, height=HEIGHT, width=WIDTH, seed=seed, settings=settings)


def grey(image: torch.Tensor) -> NDArray[np.float32]:
    return cv2.cvtColor(image.permute(1, 2, 0).numpy(), cv2.COLOR_RGB2GRAY).astype(np.float32)


def difference_along(scenes: Scenes, flow: torch.Tensor) -> float:
    """The median grey-level difference of the first frame to the second one warped by `flow` with OpenCV.

    Only visible pixels that move by more than a pixel count, as static ones match without flow.
    """
    counted = (scenes.visible & (torch.linalg.vector_norm(scenes.flow, dim=1) > 1)).numpy()
    steps = []
    ys, xs = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    for first, second, (u, v), seen in zip(scenes.first, scenes.second, flow.numpy(), counted, strict=True):
        warped = cv2.remap(grey(second), xs + u, ys + v, cv2.INTER_LINEAR)
        steps.append(np.abs(warped - grey(first))[seen])
    return float(np.median(np.concatenate(steps)))


def test_warping_the_second_frame_by_the_flow_gives_back_the_first_where_visible(bank: TextureBank) -> None:
    scenes = scenes_of(bank, replace(TEXTURED, static=0, subpixel=0))
    along_flow = difference_along(scenes, scenes.flow)
    assert along_flow < 2.0
    assert difference_along(scenes, torch.zeros_like(scenes.flow)) > 4 * along_flow


def test_the_same_seed_gives_the_same_scenes(bank: TextureBank) -> None:
    one, again, other = (scenes_of(bank, SceneSettings(), count=2, seed=seed) for seed in (1, 1, 2))
    for name in ("first", "second", "flow", "visible"):
        assert torch.equal(getattr(one, name), getattr(again, name))
    assert not torch.equal(one.first, other.first)


def test_scenes_have_the_promised_shapes_and_types(bank: TextureBank) -> None:
    scenes = scenes_of(bank, SceneSettings(), count=2)
    assert scenes.first.shape == scenes.second.shape == (2, 3, HEIGHT, WIDTH)
    assert scenes.flow.shape == (2, 2, HEIGHT, WIDTH)
    assert scenes.visible.shape == (2, HEIGHT, WIDTH)
    assert (scenes.first.dtype, scenes.second.dtype) == (torch.uint8, torch.uint8)
    assert (scenes.flow.dtype, scenes.visible.dtype) == (torch.float32, torch.bool)


def test_static_scenes_have_zero_flow_and_equal_frames(bank: TextureBank) -> None:
    scenes = scenes_of(bank, replace(CLEAR, static=1), count=4)
    assert not scenes.flow.any()
    assert scenes.visible.all()
    assert torch.equal(scenes.first, scenes.second)


def test_subpixel_scenes_move_but_by_less_than_a_pixel(bank: TextureBank) -> None:
    flow = scenes_of(bank, replace(CLEAR, static=0, subpixel=1, still_camera=0, plain=0, particles=0)).flow.norm(dim=1)
    assert flow.max() < 1.2
    assert (flow.amax((1, 2)) > 0).all()


def test_sideways_scenes_move_along_the_rows_only(bank: TextureBank) -> None:
    flow = scenes_of(bank, replace(CLEAR, static=0, subpixel=0, sideways=1)).flow
    assert flow[:, 1].abs().max() < 1e-3
    assert flow[:, 0].abs().amax() > 10


def test_the_flow_of_a_shifted_background_is_what_phase_correlation_finds(bank: TextureBank) -> None:
    still = replace(TEXTURED, static=0, subpixel=0, sideways=0, background_only=1, bent=0, most_objects=3)
    scenes = render(bank, count=120, height=HEIGHT, width=WIDTH, seed=8, settings=still)
    window = cv2.createHanningWindow((WIDTH, HEIGHT), cv2.CV_32F)
    errors = []
    for first, second, flow in zip(scenes.first, scenes.second, scenes.flow, strict=True):
        spread = (flow - flow.mean((1, 2), keepdim=True)).abs().max()
        if spread < 0.3 and flow.abs().max() < 10:
            (u, v), _ = cv2.phaseCorrelate(grey(first), grey(second), window)
            errors.append(np.hypot(u - float(flow[0].mean()), v - float(flow[1].mean())))
    assert len(errors) >= 3
    assert np.median(errors) < 0.1


def test_pixels_that_move_outside_are_not_visible(bank: TextureBank) -> None:
    scenes = scenes_of(bank, replace(CLEAR, static=0, subpixel=0))
    ys, xs = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    x, y = xs + scenes.flow[:, 0], ys + scenes.flow[:, 1]
    outside = (x < -1e-3) | (y < -1e-3) | (x > WIDTH - 1 + 1e-3) | (y > HEIGHT - 1 + 1e-3)
    assert outside.any()
    assert not (scenes.visible & outside).any()


def test_background_only_scenes_have_no_occlusion_inside_the_frame(bank: TextureBank) -> None:
    scenes = scenes_of(bank, replace(CLEAR, static=0, subpixel=1, background_only=1), count=4)
    assert scenes.visible[:, 2:-2, 2:-2].all()


def test_most_motion_is_small_and_some_is_large(bank: TextureBank) -> None:
    scenes = render(bank, count=80, height=72, width=96, seed=0, settings=CLEAR)
    magnitude = scenes.flow.norm(dim=1) * (288 / 72)
    shares = [float((magnitude < bound).float().mean()) for bound in (1, 4, 12, 30, 60)]
    assert np.allclose(shares, [0.25, 0.5, 0.75, 0.9, 0.97], atol=0.12)
    assert magnitude.max() > 100


def test_both_frames_are_equally_sharp(bank: TextureBank) -> None:
    scenes = scenes_of(bank, replace(TEXTURED, static=0, subpixel=0), count=40)
    ratios = [
        cv2.Laplacian(grey(second), cv2.CV_32F).var() / cv2.Laplacian(grey(first), cv2.CV_32F).var()
        for first, second in zip(scenes.first, scenes.second, strict=True)
    ]
    assert abs(np.median(ratios) - 1) < 0.05


def test_effects_change_the_frames_but_not_the_flow(bank: TextureBank) -> None:
    plain = scenes_of(bank, replace(CLEAR, fewest_objects=4), count=3)
    covered = scenes_of(bank, replace(CLEAR, fewest_objects=4, shadows=1), count=3)
    assert torch.equal(plain.flow, covered.flow)
    assert not torch.equal(plain.first, covered.first)


def test_scenes_rendered_together_equal_scenes_rendered_one_by_one(
    bank: TextureBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = scenes_of(bank, SceneSettings(), count=6)
    monkeypatch.setattr(scenes_module, "_SCENES_AT_ONCE", {})
    together = scenes_of(bank, SceneSettings(), count=6)
    assert ((together.flow - apart.flow).abs() < 1e-3).float().mean() > 0.999
    assert (together.visible == apart.visible).float().mean() > 0.999
    # Textures of several levels in one batch are enlarged again before they are sampled.
    assert (together.first.float() - apart.first.float()).abs().mean() < 2


def test_motion_blur_blurs_moving_layers_along_their_motion_only(bank: TextureBank) -> None:
    moving = replace(TEXTURED, static=0, subpixel=0, sideways=1, background_only=1, bent=0, still_camera=0)
    sharp = scenes_of(bank, replace(moving, motion_blur=0), count=24)
    blurred = scenes_of(bank, replace(moving, motion_blur=1), count=24)
    assert torch.equal(sharp.flow, blurred.flow)
    along, across = (
        (blurred.first.float().diff(dim=dim).square().mean() / sharp.first.float().diff(dim=dim).square().mean())
        for dim in (3, 2)
    )
    assert along < 0.9 * across


def test_plain_backgrounds_have_no_texture_and_the_motion_of_the_camera(bank: TextureBank) -> None:
    plain = replace(CLEAR, static=0, subpixel=0, plain=1, particles=0, background_only=1, bent=0)
    scenes = scenes_of(bank, plain, count=60)
    still = scenes.flow.abs().amax((1, 2, 3)) == 0
    assert 0.5 < still.float().mean() < 0.95
    steps = scenes.first.float().diff(dim=3).abs().mean((1, 2, 3))
    # Half of them show texture beyond a horizon.
    assert 0.3 < (steps < 1).float().mean() < 0.7
    alike = (scenes.first.float() - scenes.second.float()).abs().amax((1, 2, 3))
    assert (alike[still] == 0).all()


def test_bright_particles_move_over_black_that_does_not(bank: TextureBank) -> None:
    scenes = scenes_of(bank, replace(CLEAR, static=0, subpixel=0, plain=0, particles=1))
    brightness = scenes.first.float().mean(1)
    bright = brightness > 60
    assert 0 < bright.float().mean() < 0.05
    moving = scenes.flow.abs().amax(1) > 0
    assert 0 < moving.float().mean() < 0.05
    assert brightness[~moving].median() < 15


@pytest.mark.parametrize("change", ["noise", "compressed"])
def test_noise_and_compression_change_both_frames_of_a_still_scene_and_not_its_flow(
    bank: TextureBank, change: str
) -> None:
    still = replace(CLEAR, static=1)
    clear = scenes_of(bank, still, count=4)
    recorded = scenes_of(bank, replace(still, **{change: 1.0}), count=4)
    assert torch.equal(recorded.flow, clear.flow)
    for name in ("first", "second"):
        difference = (getattr(recorded, name).float() - getattr(clear, name).float()).abs().mean((1, 2, 3))
        assert (difference > 0.1).all()
        assert (difference < 10).all()
    assert torch.equal(recorded.first, recorded.second) == (change == "compressed")


def test_a_texture_bank_is_read_from_a_folder_of_images(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    (tmp_path / "deep").mkdir()
    for name, shape in (("a.jpg", (40, 60, 3)), ("deep/b.png", (50, 50)), ("deep/cut.png", (30, 24, 4))):
        cv2.imwrite(str(tmp_path / name), random.integers(0, 256, shape, dtype=np.uint8))
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    bank = TextureBank.from_folder(tmp_path, device="cpu")
    assert bank.photographs == 3  # two squares of the long image, one of the square one
    assert len(bank.cutouts) == 1
    assert scenes_of(bank, SceneSettings(), count=2).first.float().std() > 5


def test_an_image_whose_name_is_not_valid_text_is_read(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8)
    (tmp_path / "bad\udcff.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    assert TextureBank.from_folder(tmp_path, device="cpu").photographs == 1


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="has no images"):
        TextureBank.from_folder(tmp_path, device="cpu")
    with pytest.raises(UsageError, match="is not a folder"):
        TextureBank.from_folder(tmp_path / "missing", device="cpu")
