"""Frames of any size, computed at any size: flow comes back at the source's size and in its pixels."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from flowcli.flow.formats import flo
from flowcli.media.pyav import VideoReader
from tests.outputs import files_below

pytestmark = pytest.mark.usefixtures("place", "no_thread_stays")

TINY = [(1, 1), (1, 7), (2, 1), (3, 3), (9, 15), (4, 64), (127, 129)]


def sized(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"


@pytest.mark.parametrize("size", TINY, ids=sized)
def test_every_size_gives_finite_flow_of_that_size(compute, make_images, size) -> None:
    folder = make_images(size=size, count=3)
    assert compute("video", folder, "--save", "flo,video", "-o", "out").code == 0
    for name in ("000000", "000001"):
        flow = flo.read(Path(f"out/shots_flow/{name}.flo"))
        assert flow.shape == (*size, 2)
        assert np.isfinite(flow).all()
    with VideoReader(Path("out/shots_flow.mp4")) as reader:
        frames = list(reader.frames())
    assert [frame.image.shape for frame in frames] == [(size[0] + size[0] % 2, size[1] + size[1] % 2, 3)] * 2
    assert compute("pair", folder / "0.png", folder / "1.png", "--save", "flo", "-o", "out").code == 0
    assert flo.read(Path("out/0_flow.flo")).shape == (*size, 2)


@pytest.mark.parametrize("size", [(47, 65), (48, 63), (121, 33)], ids=sized)
def test_a_video_of_odd_size_keeps_it_to_the_pixel(compute, make_video, size) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (*size, 3), np.uint8) for _ in range(3)]
    path = make_video("odd.mkv", images=images, codec="ffv1", pix_fmt="bgr0")
    assert compute("video", path, "--save", "flo").code == 0
    assert files_below("odd_flow") == ["000000.flo", "000001.flo"]
    assert flo.read(Path("odd_flow/000000.flo")).shape == (*size, 2)


def scene(width: int, height: int, *, shift: tuple[float, float]) -> np.ndarray:
    """A smooth texture that is moved by `shift` (x, y) pixels."""
    noise = np.random.default_rng(0).integers(0, 256, (height // 8 + 8, width // 8 + 8, 3), np.uint8)
    large = cv2.resize(noise, (width + 64, height + 64), interpolation=cv2.INTER_CUBIC)
    move = np.float32([[1, 0, shift[0] - 32], [0, 1, shift[1] - 32]])
    return cv2.warpAffine(large, move, (width, height), flags=cv2.INTER_CUBIC)


@pytest.mark.parametrize("options", [(), ("--max-side", 160), ("--scale", 0.5), ("--scale", 0.9, "--max-side", 251)])
def test_flow_computed_smaller_comes_back_in_source_pixels(flowcli, options) -> None:
    for name, shift in (("a.png", (0, 0)), ("b.png", (6, -4))):
        cv2.imwrite(name, scene(320, 240, shift=shift))
    assert flowcli("pair", "a.png", "b.png", "--save", "flo", "--iters", 8, *options).code == 0
    flow = flo.read(Path("a_flow.flo"))
    assert flow.shape == (240, 320, 2)
    assert np.median(flow[30:-30, 30:-30], axis=(0, 1)) == pytest.approx([6, -4], abs=0.6)


def test_each_axis_has_its_own_scale(compute, monkeypatch) -> None:
    """A side that does not shrink evenly: 101 x 7 at most 10 wide is computed at 10 x 1."""
    from flowcli.model import look

    asked = []
    resize = look.resize_flow

    def noted(flow, *, height, width):
        asked.append((tuple(flow.shape[2:]), (height, width), flow, resize(flow, height=height, width=width)))
        return asked[-1][3]

    monkeypatch.setattr(look, "resize_flow", noted)
    for name in ("a.png", "b.png"):
        cv2.imwrite(name, np.random.default_rng(0).integers(0, 256, (7, 101, 3), np.uint8))
    assert compute("pair", "a.png", "b.png", "--save", "flo", "--max-side", 10).code == 0
    ((small, large, before, after),) = asked
    assert (small, large) == ((1, 10), (7, 101))
    # What is constant downwards is stretched 7 times, what is 10 wide 10.1 times.
    assert after[0, 1].mean() == pytest.approx(float(before[0, 1].mean()) * 7, rel=0.1)
    assert after[0, 0].mean() == pytest.approx(float(before[0, 0].mean()) * 10.1, rel=0.1)
    assert np.array_equal(flo.read(Path("a_flow.flo")), after[0].permute(1, 2, 0).numpy())
