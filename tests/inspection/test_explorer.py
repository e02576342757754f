"""explorer.html: what it embeds."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from flowcli.inspection import explorer, packing, update_layers
from tests.inspection.packed import data_in, unpacked
from tests.inspection.test_inspect_command import SIZE, write_pair

pytestmark = pytest.mark.usefixtures("place", "one_picture")


@pytest.fixture
def inspected(flowcli, weights, tmp_path):
    """Inspects a pair that moves by 6 px to the right at one pixel; gives the page's path and the record."""

    def call() -> tuple[Path, dict]:
        first, second = write_pair(tmp_path)
        arguments = ["inspect", first, second, "--at", "77,63", "--weights", weights, "--iters", 3]
        assert flowcli(*arguments).code == 0
        return Path("a_inspect/explorer.html"), json.loads(Path("a_inspect/inspect.json").read_text())

    return call


def test_the_page_holds_the_responses_and_the_centers_of_every_update(inspected) -> None:
    page, record = inspected()
    data, (pixel,) = data_in(page), record["pixels"]
    shape = (data["rows"], data["columns"], data["channels"])
    first, second = (unpacked(data[name], *shape).astype(float) for name in ("first", "second"))
    flows = unpacked(data["flows"], -1, *shape[:2], 2)
    row, column = pixel["cell"]["row"], pixel["cell"]["column"]
    response = second @ first[row, column] / np.sqrt(shape[2])
    exact = np.array(pixel["levels"][0]["response"])
    assert response == pytest.approx(exact, abs=1e-4 * np.abs(exact).max())
    centers = [*(update["center"] for update in pixel["updates"]), pixel["end"]]
    assert flows[:, row, column] + (column, row) == pytest.approx(np.array(centers), abs=1e-5)


def test_the_page_holds_the_diagram_and_what_is_told_of_frame_and_pixels(inspected) -> None:
    page, record = inspected()
    data, (pixel,) = data_in(page), record["pixels"]
    assert data["story"] == record["story"]
    assert data["pixels"] == [{name: pixel[name] for name in ("x", "y", "kind", "why", "story")}]
    assert Path("a_inspect/architecture.svg").read_text() in page.read_text()


def test_the_page_loads_nothing(inspected) -> None:
    page, record = inspected()
    assert "explorer.html" in record["files"]
    assert "default-src 'none'" in page.read_text()
    text = page.read_text().replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?://|(?:src|href)=[\"'](?!data:)", text)


def test_a_file_name_ends_no_script_and_is_no_element(flowcli, weights, tmp_path) -> None:
    name = "<!--<script><img src=x>"
    picture = np.zeros((*SIZE, 3), np.uint8)
    for file in (f"{name}.png", "b.png"):
        cv2.imwrite(str(tmp_path / file), picture)
    assert flowcli("inspect", f"{name}.png", "b.png", "--weights", weights, "--iters", 1).code == 0
    page = Path(f"{name}_inspect/explorer.html")
    assert data_in(page)["name"] == name
    assert "<img src=x" not in page.read_text()


def test_larger_frames_are_stored_coarser_and_the_record_says_so(inspected, monkeypatch) -> None:
    monkeypatch.setattr(explorer, "MOST_CELLS", 200)
    page, record = inspected()
    data = data_in(page)
    assert record["explorer"]["averaged_over"] == data["averaging"] == 2
    assert unpacked(data["first"], 9, 13, -1).shape[2] == data["channels"]
    assert data["live"] is None


def test_averaging_leaves_a_remainder_out_as_the_pyramid_does() -> None:
    features = np.arange(2 * 5 * 7, dtype=np.float32).reshape(2, 5, 7)
    pooled = explorer.pooled(features, 2)
    assert pooled.shape == (2, 2, 3)
    assert pooled[1, 1, 2] == pytest.approx(features[1, 2:4, 4:6].mean())


@pytest.mark.parametrize("bits", [16, 24])
def test_fixed_point_keeps_what_is_unknown_and_rounds_by_half_a_step_at_most(bits: int) -> None:
    values = np.random.default_rng(0).normal(size=(5, 7, 3)).astype(np.float32) * (1, 100, 0)
    values[2, 3, 0] = np.nan
    values = values.astype(np.float32)
    error = np.abs(unpacked(packing.fixed(values, bits=bits), 5, 7, 3) - values)
    assert np.isnan(error).sum() == 1
    steps = np.nanmax(values, axis=(0, 1)) - np.nanmin(values, axis=(0, 1))
    assert (np.nanmax(error, axis=(0, 1)) <= 0.51 * steps / (2**bits - 2) + np.spacing(np.nanmax(np.abs(values)))).all()


def test_weights_are_stored_as_they_are_in_the_shorter_format() -> None:
    values = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    rounded = values.astype(np.float16).astype(np.float32)
    for stored, kind in ((values, "float32"), (rounded, "float16")):
        packed = packing.shortest(stored)
        assert packed["kind"] == kind
        assert np.array_equal(unpacked(packed, 4, 6), stored)


def test_what_does_not_fit_in_24_bits_is_stored_in_16_and_the_record_says_so(inspected, monkeypatch) -> None:
    _, record = inspected()
    assert record["explorer"]["features"] == "24-bit fixed point"
    exact = data_in(Path("a_inspect/explorer.html"))
    shutil.rmtree("a_inspect")
    monkeypatch.setattr(update_layers, "MOST_BYTES", 0)
    page, record = inspected()
    data = data_in(page)
    assert record["explorer"]["features"] == "16-bit fixed point"
    for coarse, fine in ((data, exact), (data["live"], exact["live"])):
        for name in coarse.keys() & {"first", "second", "hidden", "context"}:
            assert (coarse[name]["kind"], fine[name]["kind"]) == ("fixed16", "fixed24")
            shape = (data["rows"], data["columns"], -1)
            apart = np.abs(unpacked(coarse[name], *shape) - unpacked(fine[name], *shape))
            assert (apart <= 0.51 * np.array(coarse[name]["step"])).all()
