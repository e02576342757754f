"""For compositing: both directions in one EXR, STMaps, and masks of occlusion as pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from flowcli.errors import SourceError
from flowcli.flow.formats import exr, film, flo, stmap
from flowcli.media.exr import read_headers
from flowcli.media.pyav import decode_exr

pytestmark = pytest.mark.usefixtures("place")


@pytest.mark.parametrize("y", ["up", "down"])
@pytest.mark.parametrize("half", [False, True])
def test_a_file_holds_both_directions_and_says_where_y_goes(compute, make_images, y, half):
    line = ["--save", "film,flo", "--direction", "both", "--y-axis", y, *(["--half"] if half else [])]
    assert compute("video", make_images(count=2), *line).code == 0
    path = Path("shots_film/000000.exr")
    data = path.read_bytes()
    header = read_headers(data)[0]
    assert header.names == ("backward.u", "backward.v", "forward.u", "forward.v")
    assert {channel.kind for channel in header.channels} == {"float16" if half else "float32"}
    assert header.texts[exr.Y] == y
    forward, backward = (flo.read(Path(f"shots_flow/000000{name}.flo")) for name in ("", "_backward"))
    sign = -1 if y == "up" else 1
    near = {"rtol": 1e-3 if half else 0, "atol": 1e-4 if half else 0}
    np.testing.assert_allclose(exr.read(path), forward, **near)
    stored = decode_exr(path, data, ["forward.u", "forward.v", "backward.u", "backward.v"])
    np.testing.assert_allclose(stored, np.dstack((forward, backward)) * (1, sign, 1, sign), **near)


def test_an_unknown_direction_of_y_is_refused(compute, make_images):
    assert (
        compute("video", make_images(), "--save", "film", "--y-axis", "left").err[0]
        == "error: --y-axis left is not known"
    )


FLOW = (2 * np.random.default_rng(0).normal(size=(48, 64, 2))).astype(np.float32)


def test_a_folder_of_both_directions_is_converted_to_one_file_for_each_pair(flowcli):
    Path("in_flow").mkdir()
    for number in range(2):
        flo.write(Path(f"in_flow/00000{number}.flo"), (number + 1) * FLOW)
        flo.write(Path(f"in_flow/00000{number}_backward.flo"), -FLOW)
    assert flowcli("convert", "in_flow", "out", "--to", "film").err == ["4 files from flo to film, without loss"]
    assert sorted(path.name for path in Path("out").iterdir()) == ["000000.exr", "000001.exr"]
    path = Path("out/000001.exr")
    stored = decode_exr(path, path.read_bytes(), ["forward.u", "forward.v", "backward.u", "backward.v"])
    assert np.array_equal(stored, np.dstack((2 * FLOW, -FLOW)) * np.float32((1, -1, 1, -1)))
    Path("in_flow/000000.flo").rename("000000.flo")
    assert flowcli("convert", "in_flow", "alone", "--to", "film").code == 0
    assert sorted(path.name for path in Path("alone").iterdir()) == ["000000_backward.exr", "000001.exr"]
    ended = flowcli("convert", "000000.flo", "one.exr", "--to", "film", "--y-axis", "down", "--half")
    assert ended.err[0].startswith("1 file from flo to film, vectors changed by up to 0.00")
    assert read_headers(Path("one.exr").read_bytes())[0].texts[exr.Y] == "down"
    assert np.abs(film.read(Path("one.exr")) - FLOW).max() < 0.01


@pytest.mark.parametrize("y", ["up", "down"])
def test_a_map_leads_from_the_second_frame_to_the_first(compute, flowcli, make_images, y):
    line = ["--save", "stmap,flo", "--direction", "both", "--y-axis", y]
    assert compute("video", make_images(count=2), *line).code == 0
    names = sorted(path.name for path in Path("shots_stmap").iterdir())
    assert names == ["000000.exr", "000000_backward.exr"]
    path = Path("shots_stmap/000000.exr")
    places = decode_exr(path, path.read_bytes(), ["R", "G"])
    if y == "up":
        places[..., 1] = 1 - places[..., 1]
    flow = flo.read(Path("shots_flow/000000.flo"))
    # OpenCV counts from the centre of the first pixel, maps from its corner.
    x, v = (places * (64, 48) - 0.5).astype(np.float32).transpose(2, 0, 1)
    pulled = cv2.remap(cv2.imread("shots/1.png"), x, v, cv2.INTER_LINEAR)
    grid = np.stack(np.meshgrid(np.arange(64), np.arange(48)), axis=-1).astype(np.float32) + flow
    by_flow = cv2.remap(cv2.imread("shots/1.png"), grid[..., 0], grid[..., 1], cv2.INTER_LINEAR)
    assert np.abs(pulled.astype(int) - by_flow).max() <= 8  # remap rounds to 1/32 px
    assert flowcli("convert", path, "back.flo", "--from", "stmap").code == 0
    np.testing.assert_allclose(flo.read(Path("back.flo")), flow, rtol=0, atol=1e-4)


def test_places_are_not_taken_for_motion_nor_motion_for_places():
    stmap.write(Path("map.exr"), FLOW)
    with pytest.raises(SourceError, match=r"^map\.exr is an STMap$"):
        exr.read(Path("map.exr"))
    exr.write(Path("flow.exr"), FLOW)
    with pytest.raises(SourceError, match=r"^flow\.exr is not an STMap that flowcli wrote$"):
        stmap.read(Path("flow.exr"))


def test_occlusion_is_a_grey_picture_of_0_and_255_for_every_pair(compute, make_images):
    folder = make_images(count=3)
    assert compute("video", folder, "--save", "occlusion_png,npz").code == 0
    for number in range(2):
        mask = cv2.imread(f"shots_occluded/00000{number}.png", cv2.IMREAD_UNCHANGED)
        occluded = np.load(f"shots_flow/00000{number}.npz")["occluded"]
        assert np.array_equal(mask, np.where(occluded, 255, 0))
    assert compute("pair", folder / "0.png", folder / "1.png", "--save", "occlusion_png", "-o", "mask.png").code == 0
    assert cv2.imread("mask.png", cv2.IMREAD_UNCHANGED).shape == (48, 64)
    ended = compute("video", folder, "--save", "occlusion_png", "--direction", "backward")
    assert ended.err[0] == "error: --save occlusion_png needs both directions"
