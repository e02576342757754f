"""The examples run and learn."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

STEPS, WIDTH, HEIGHT = 80, 96, 16


def example(name: str):
    path = Path(__file__).parent / "examples" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def planes(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Stereo pairs of planes at random distances: left, right, disparity, and the pixels visible in both."""
    texture = torch.rand(count, 3, HEIGHT // 4, WIDTH // 4 + 8, generator=generator)
    scene = interpolate(texture, scale_factor=4, mode="bicubic") * 2 - 1
    disparity = torch.randint(0, 24, (count,), generator=generator)
    right = torch.stack([one[..., shift : shift + WIDTH] for one, shift in zip(scene, disparity, strict=True)])
    seen = torch.arange(WIDTH) >= disparity[:, None, None]
    return scene[..., :WIDTH], right, disparity[:, None, None].float(), seen.expand(count, HEIGHT, WIDTH)


@pytest.mark.slow
def test_a_stereo_model_of_rafts_parts_learns_disparity() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = example("stereo").Stereo()
    generator = torch.Generator().manual_seed(0)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=STEPS, pct_start=0.2)
    for _ in range(STEPS):
        left, right, disparity, seen = planes(8, generator)
        loss = sum((found - disparity).abs()[seen].mean() for found in model(left, right, 3))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    left, right, disparity, seen = planes(32, generator)
    with torch.no_grad():
        (*_, found) = model(left, right, 3)
    assert found.shape == (32, HEIGHT, WIDTH)
    assert (found - disparity).abs()[seen].mean() < 0.5 * disparity.expand_as(found)[seen].mean()


def test_a_folder_of_clips_is_curated_by_its_table_of_motion(flowcli, place, capsys) -> None:
    pattern = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (160, 160, 3), np.uint8), (0, 0), 2)
    for name, step in (("moves", 3), ("still", 0)):
        Path("clips", name).mkdir(parents=True)
        for number in range(3):
            part = pattern[8 : 8 + 96, 8 + step * number : 8 + step * number + 128]
            cv2.imwrite(f"clips/{name}/{number}.png", part)
    assert flowcli("batch", "clips", "-o", "flows", "--save", "stats", "--quality", "fast", "--iters", 4).code == 0
    capsys.readouterr()
    example("curate").main("flows/motion.csv")
    assert capsys.readouterr().out == "moves\n"
