"""Planes of x and y straight from a video, a pair or flow files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from flowcli.flow.formats import flo, planes

pytestmark = pytest.mark.usefixtures("place")


@pytest.mark.parametrize(("name", "ending"), [("planes", ".jpg"), ("planes_png", ".png")])
def test_a_video_gives_two_grey_planes_per_pair_between_the_bounds(compute, make_images, name, ending):
    ended = compute("video", make_images(count=3), "--save", f"{name},flo", "--bound", 8)
    assert ended.code == 0
    folder = Path("shots_flow")
    files = sorted(path.name for path in folder.glob(f"*{ending}"))
    assert files == [f"00000{number}_{axis}{ending}" for number in (0, 1) for axis in "xy"]
    for number in (0, 1):
        plane = cv2.imread(str(folder / f"00000{number}_x{ending}"), cv2.IMREAD_UNCHANGED)
        assert (plane.dtype, plane.ndim) == (np.uint8, 2)
        flow = flo.read(folder / f"00000{number}.flo")
        read = planes.read(folder / f"00000{number}_x{ending}", bound=8)
        assert np.abs(read - np.clip(flow, -8, 8)).max() < (0.5 if ending == ".jpg" else 0.04)


def test_planes_of_an_earlier_run_are_replaced_in_pairs(compute, make_images):
    assert compute("video", make_images(count=5), "--save", "planes").code == 0
    again = compute("video", "shots", "--save", "planes")
    assert again.code == 2
    assert again.err[0].endswith("shots_flow/000000_x.jpg exists already")
    assert compute("video", "shots", "--save", "planes", "--max-frames", 2, "-y").code == 0
    assert sorted(path.name for path in Path("shots_flow").iterdir()) == ["000000_x.jpg", "000000_y.jpg"]


def test_planes_of_both_directions_and_of_a_pair_have_their_names(compute, make_images):
    make_images()
    assert (
        compute("pair", "shots/0.png", "shots/1.png", "--save", "planes", "--direction", "both", "-o", "out").code == 0
    )
    names = sorted(path.name for path in Path("out").glob("*.jpg"))
    assert names == ["0_flow_backward_x.jpg", "0_flow_backward_y.jpg", "0_flow_x.jpg", "0_flow_y.jpg"]


def test_the_plane_of_y_is_no_more_overwritten_than_that_of_x(compute, flowcli, make_images):
    make_images()
    pair = ["pair", "shots/0.png", "shots/1.png", "--save", "planes"]
    flo.write(Path("a.flo"), np.zeros((48, 64, 2), np.float32))
    lines = {
        "shots/0_flow_y.jpg": pair,
        "own_y.jpg": [*pair, "-o", "own.jpg"],
        "a_y.jpg": ["convert", "a.flo", "a_x.jpg", "--to", "planes"],
    }
    for name, line in lines.items():
        call = flowcli if line[0] == "convert" else compute
        Path(name).write_text("mine")
        assert call(*line).err[0] == f"error: {name} exists already"
        assert Path(name).read_text() == "mine"
        assert call(*line, "-y").code == 0
    again = compute("pair", "own_y.jpg", "own_y.jpg", "--save", "planes", "-o", "own.jpg", "-y")
    assert again.err[0] == "error: own_y.jpg is the input itself"


@pytest.mark.parametrize("bound", ["0", "-1", "nan", "inf"])
def test_a_bound_that_is_no_motion_is_refused(flowcli, make_images, bound):
    ended = flowcli("video", make_images(), "--save", "planes", "--bound", bound)
    assert ended.code == 2
    assert "bound" in "".join(ended.err)


def test_png_planes_are_converted_back_and_pictures_are_not(flowcli):
    flow = np.random.default_rng(0).uniform(-9, 9, (12, 15, 2)).astype(np.float32)
    flo.write(Path("a.flo"), flow)
    assert flowcli("convert", "a.flo", "a_x.png", "--bound", 10, "--to", "planes_png").code == 0
    ended = flowcli("convert", "a_x.png", "b.flo", "--bound", 10)
    assert ended.err == ["1 file from planes_png to flo, without loss"]
    assert np.abs(flo.read(Path("b.flo")) - flow).max() <= 10 / 255 + 1e-4
