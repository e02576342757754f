"""RAFT's published augmentation of frames, flow and masks."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from flowcli.training.augmentation.published import (
    Pair,
    augment_pair,
    erase,
    jitter,
    mirror,
    resize,
    scatter,
    turn_hue,
    upside_down,
)
from flowcli.training.recipes import DatasetShare

DENSE = DatasetShare("chairs", (-0.1, 1.0))
SPARSE = DatasetShare("kitti", (-0.2, 0.4), sparse=True)
CROP = (128, 160)


def moved(height: int = 180, width: int = 240) -> Pair:
    """A smooth image that moves by (5, -3) px."""
    y, x = np.mgrid[:height, :width].astype(np.float32)

    def picture(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        waves = [np.sin(0.11 * x + 0.05 * y), np.cos(0.07 * y - 0.09 * x), np.sin(0.13 * y + 2)]
        return (np.stack(waves, axis=-1) * 60 + 128).round().astype(np.uint8)

    flow = np.broadcast_to(np.array([5, -3], np.float32), (height, width, 2)).copy()
    return Pair(picture(x, y), picture(x - 5, y + 3), flow, np.ones((height, width), bool))


def error_of_warp(pair: Pair) -> float:
    """The mean difference in grey levels of the second frame, warped by the flow, to the first, where flow is known."""
    height, width = pair.valid.shape
    x = np.arange(width, dtype=np.float32) + pair.flow[..., 0]
    y = np.arange(height, dtype=np.float32)[:, None] + pair.flow[..., 1]
    warped = cv2.remap(pair.second, x, y, cv2.INTER_LINEAR)
    inside = pair.valid & (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    assert inside.sum() > 100
    return float(np.abs(warped.astype(float) - pair.first)[inside].mean())


@pytest.fixture
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "flowcli.training.augmentation.published.colour_jitter", lambda first, second, *_: (first, second)
    )
    monkeypatch.setattr("flowcli.training.augmentation.published.erase", lambda second, _: second)


@pytest.mark.usefixtures("no_jitter")
@pytest.mark.parametrize("share", [DENSE, SPARSE], ids=["dense", "sparse"])
def test_warping_the_augmented_second_frame_by_the_augmented_flow_gives_the_first(share: DatasetShare) -> None:
    for seed in range(8):
        pair = augment_pair(moved(), share, crop=CROP, random=np.random.default_rng(seed))
        assert pair.first.shape == pair.second.shape == (*CROP, 3)
        assert pair.flow.shape == (*CROP, 2) and pair.valid.shape == CROP
        assert pair.first.dtype == np.uint8 and pair.flow.dtype == np.float32
        assert error_of_warp(pair) < 2.5


def test_mirroring_changes_the_sign_of_flow_along_its_axis_only() -> None:
    for turn, expected in ((mirror, [-5, -3]), (upside_down, [5, 3])):
        turned = turn(moved())
        assert turned.flow[10, 10].tolist() == expected
        assert error_of_warp(Pair(*(np.ascontiguousarray(part) for part in vars(turned).values()))) < 2


def test_sparse_flow_is_moved_to_the_nearest_pixels_without_interpolation() -> None:
    flow, valid = np.zeros((6, 8, 2), np.float32), np.zeros((6, 8), bool)
    for row, column in ((2, 3), (0, 4), (5, 7)):
        flow[row, column], valid[row, column] = (row + 1, column + 1), True
    pair = Pair(np.zeros((6, 8, 3), np.uint8), np.zeros((6, 8, 3), np.uint8), flow, valid)
    larger = resize(pair, (1.5, 2.0), sparse=True)
    # Column 3 → 4.5 → 4 (to even), row 2 → 4; row 0 stays at 0 and is lost; column 7 → 10.5 → 10, row 5 → 10.
    assert np.argwhere(larger.valid).tolist() == [[4, 4], [10, 10]]
    assert larger.flow[4, 4].tolist() == [3 * 1.5, 4 * 2.0]
    assert larger.flow[10, 10].tolist() == [6 * 1.5, 8 * 2.0]
    assert larger.first.shape == (12, 12, 3)


def test_scattering_equals_a_loop_over_known_pixels() -> None:
    random = np.random.default_rng(0)
    flow, valid = random.normal(size=(20, 30, 2)).astype(np.float32), random.random((20, 30)) < 0.3
    found, known = scatter(flow, valid, (1.3, 1.3), (39, 26))
    expected: dict[tuple[int, int], np.ndarray] = {}
    for row, column in np.argwhere(valid):
        x, y = round(column * 1.3), round(row * 1.3)
        if 0 < x < 39 and 0 < y < 26:
            expected[y, x] = flow[row, column]
    assert {(int(y), int(x)) for y, x in np.argwhere(known)} == set(expected)
    assert all(np.array_equal(found[place], vector) for place, vector in expected.items())


def test_unknown_flow_is_not_interpolated_into_dense_flow() -> None:
    pair = moved()
    pair.flow[:, 100:], pair.valid[:, 100:] = 0, False
    larger = resize(pair, (1.7, 1.7), sparse=False)
    assert np.allclose(larger.flow[larger.valid], np.array([5, -3]) * 1.7, atol=1e-3)
    assert 0.35 < larger.valid.mean() < 100 / 240


def test_pairs_of_a_share_without_flip_are_not_mirrored() -> None:
    share = replace(SPARSE, flip=False)
    for seed in range(10):
        pair = augment_pair(moved(), share, crop=CROP, random=np.random.default_rng(seed))
        assert (pair.flow[pair.valid][:, 0] > 0).all()


def test_the_eraser_fills_boxes_of_50_to_100_px_with_the_mean_colour_of_the_second_frame() -> None:
    second = moved().second
    kinds = [erase(second, np.random.default_rng(seed)) for seed in range(40)]
    changed = [(other != second).any(axis=2) for other in kinds]
    share = np.mean([mask.any() for mask in changed])
    assert 0.3 < share < 0.7
    mean = second.reshape(-1, 3).mean(axis=0).astype(np.uint8)
    assert all((other[mask] == mean).all() for other, mask in zip(kinds, changed, strict=True))
    assert max(mask.sum() for mask in changed) <= 2 * 99**2


def test_colour_jitter_keeps_greys_grey_and_turns_hues() -> None:
    grey = np.full((8, 8, 3), 90, np.uint8)
    turned = jitter(grey, 0.4, 0.16, np.random.default_rng(3))
    assert (turned == turned[0, 0, 0]).all() and turned[0, 0, 0] != 90
    red = np.zeros((1, 1, 3), np.uint8)
    red[..., 0] = 255
    assert turn_hue(red, 1 / 3)[0, 0].argmax() == 1  # hue 1/3 is green


def test_the_same_seed_gives_the_same_pair() -> None:
    one, same, other = (augment_pair(moved(), DENSE, crop=CROP, random=np.random.default_rng(n)) for n in (1, 1, 2))
    assert np.array_equal(one.second, same.second) and np.array_equal(one.flow, same.flow)
    assert not np.array_equal(one.second, other.second)
