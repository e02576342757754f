"""The pictures of an inspection: all there, all readable, and their marks where the numbers say."""

from __future__ import annotations

import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from flowcli.inspection.canvas import RED, mark_cell
from tests.flowcli.test_inspect_command import pair  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("place")

OWN = ["pyramid.png", "search.png", "lookup.png", "lookup.gif", *(f"level_{level}.gif" for level in range(4))]
SHARED = [
    "convergence.png",
    "features.gif",
    "features.png",
    "flow.png",
    "hidden_state.gif",
    "hidden_state.png",
    "motion_features.gif",
    "motion_features.png",
    "upsampling.png",
]


@pytest.fixture
def folder(flowcli, weights, pair) -> Path:  # noqa: F811
    ended = flowcli("inspect", *pair, "--at", "100,70", "--at", "0,139", "--weights", weights, "--iters", 3)
    assert ended.code == 0
    return Path("a_inspect")


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
    for name, count in {"pixel_100_70/level_0.gif": 4, "pixel_100_70/lookup.gif": 3, "motion_features.gif": 3}.items():
        with av.open(str(folder / name)) as film:
            assert len(list(film.decode(video=0))) == count, name


def test_the_red_square_covers_the_cell_that_the_flow_points_to() -> None:
    panel = np.zeros((160, 240, 3), np.uint8)
    mark_cell(panel, (7.0, 3.0), 20)
    red = np.argwhere((panel == RED).all(axis=2))
    (top, left), (bottom, right) = red.min(axis=0), red.max(axis=0)
    assert abs((left + right) / 2 - 149.5) <= 1
    assert abs((top + bottom) / 2 - 69.5) <= 1
    assert 19 <= right - left + 1 <= 24
