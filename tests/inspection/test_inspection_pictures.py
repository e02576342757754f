"""The pictures of an inspection: all there, all readable, and their marks where the numbers say."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest

from flowcli.inspection import canvas
from flowcli.inspection.canvas import RED, decimal, mark_cell, vector
from flowcli.inspection.pictures.flow import free_place, overlap, stretch_of

OWN = ["pyramid.png", "search.png", "lookup.png", "lookup.gif", *(f"level_{level}.gif" for level in range(4))]
SHARED = [
    "ablations.png",
    "architecture.png",
    "context.png",
    "convergence.png",
    "features.gif",
    "features.png",
    "flow.png",
    "hidden_state.gif",
    "hidden_state.png",
    "motion_features.gif",
    "motion_features.png",
    "refinement.png",
    "steps.png",
    "upsampling.png",
]


def test_every_picture_is_there_and_named_in_the_record(folder: Path) -> None:
    pictures = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix in {".png", ".gif"})
    pixels = [f"{place}/{name}" for place in ("pixel_0_139", "pixel_100_70") for name in OWN]
    assert pictures == sorted(SHARED + pixels)
    files = json.loads((folder / "inspect.json").read_text())["files"]
    assert set(pictures) <= set(files)
    assert all((folder / name).exists() for name in files)


def test_stills_show_something_and_films_have_a_picture_for_every_update(folder: Path) -> None:
    for path in folder.rglob("*.png"):
        image = cv2.imread(str(path))
        assert image.std() > 5, path
    for name, count in {"pixel_100_70/level_0.gif": 3, "pixel_100_70/lookup.gif": 2, "motion_features.gif": 2}.items():
        with av.open(str(folder / name)) as sequence:
            assert len(list(sequence.decode(video=0))) == count, name


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("size", [(1, 1), (5, 300)])
def test_tiny_frames_can_be_inspected(compute, tmp_path: Path, size: tuple[int, int]) -> None:
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), np.full((*size, 3), 90, np.uint8))
    assert compute("inspect", "a.png", "b.png").code == 0
    record = json.loads(Path("a_inspect/inspect.json").read_text())
    assert 1 <= len(record["pixels"]) <= 4
    # Without ground truth, no place of the convergence is empty.
    convergence = cv2.imread("a_inspect/convergence.png")
    height, width = convergence.shape[:2]
    assert convergence[height * 3 // 4 :, width * 3 // 4 :].min() < 200
    # Of what did not run, no picture is drawn.
    assert {path.name for path in Path("a_inspect").iterdir()}.isdisjoint({"ablations.png", "refinement.png"})


def test_the_red_square_covers_the_cell_that_the_flow_points_to() -> None:
    panel = np.zeros((160, 240, 3), np.uint8)
    mark_cell(panel, (7.0, 3.0), 20)
    red = np.argwhere((panel == RED).all(axis=2))
    (top, left), (bottom, right) = red.min(axis=0), red.max(axis=0)
    assert abs((left + right) / 2 - 149.5) <= 1
    assert abs((top + bottom) / 2 - 69.5) <= 1
    assert 19 <= right - left + 1 <= 24


def test_what_rounds_to_nothing_has_no_minus() -> None:
    assert (decimal(-0.004), decimal(-0.0, 1, sign=True), vector([-0.04, 1.26], 1)) == ("0.00", "+0.0", "(+0.0, +1.3)")


def test_labels_keep_off_dots_arrows_and_each_other() -> None:
    paper = np.zeros((100, 200, 3), np.uint8)
    obstacles = [(93.0, 43.0, 107.0, 57.0), (107.0, 46.0, 160.0, 54.0)]  # a dot at (100, 50), its arrow to the right
    for _ in range(3):
        before = list(obstacles)
        free_place((100, 50), 20, paper, obstacles)
        assert not any(overlap(obstacles[-1], other) for other in before)


def test_short_arrows_are_drawn_longer_and_long_ones_as_they_are() -> None:
    def stretch(length: float) -> int:
        return stretch_of(SimpleNamespace(readings=[SimpleNamespace(flow=np.array([[0.0, length]]))]), 2.0)

    assert [stretch(length) for length in (0, 3, 4, 20)] == [10, 10, 5, 1]


def test_colours_go_from_dark_blue_to_yellow_and_what_is_unknown_is_grey() -> None:
    image = canvas.heat(np.array([[2, 3, 4, np.nan]], np.float32), low=2, high=4)[0].astype(int)
    (low, middle, high, unknown) = image
    assert low[2] > 60 > max(low[1], 30)
    assert middle[1] > 120 > middle[0]
    assert min(high[:2]) > 220 > high[2]
    assert tuple(unknown) == canvas.OUTSIDE
