"""explorer.html: what it embeds, and that the page computes the numbers of inspect.json."""

from __future__ import annotations

import base64
import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from flowcli.inspection import explorer

pytestmark = pytest.mark.usefixtures("place")

SIZE = (140, 203)  # padded by 2 and 2, and by 2 and 3
AT = (77, 63)
CHROMIUM = shutil.which("chromium")
HOVER = """<script>setTimeout(() => {
  const frame = document.getElementById("frame"), box = frame.getBoundingClientRect();
  frame.dispatchEvent(new PointerEvent("pointermove", {
    clientX: box.left + 77.5 * box.width / 203, clientY: box.top + 63.5 * box.height / 140 }));
  const slider = document.getElementById("slider");
  slider.value = 2;
  slider.dispatchEvent(new Event("input"));
}, 500);</script></body>"""


KEYS = """<script>setTimeout(() => {
  for (const [key, shiftKey] of [["ArrowRight", true], ["ArrowDown", false], ["ArrowLeft", false], ["[", false]]) {
    document.dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey, cancelable: true }));
  }
}, 500);</script></body>"""


@pytest.fixture
def look(flowcli, weights, tmp_path) -> Callable[[], SimpleNamespace]:
    """Inspects a pair that moves by 6 px to the right, and gives the record and the page."""

    def call() -> SimpleNamespace:
        noise = np.random.default_rng(0).integers(0, 256, (SIZE[0], SIZE[1] + 6, 3)).astype(np.uint8)
        texture = cv2.GaussianBlur(noise, (0, 0), 2)
        for name, picture in {"a.png": texture[:, 6:], "b.png": texture[:, :-6]}.items():
            cv2.imwrite(str(tmp_path / name), picture)
        at = f"{AT[0]},{AT[1]}"
        assert flowcli("inspect", "a.png", "b.png", "--at", at, "--weights", weights, "--iters", 3).code == 0
        record = json.loads(Path("a_inspect/inspect.json").read_text())
        return SimpleNamespace(record=record, page=Path("a_inspect/explorer.html").read_text())

    return call


@pytest.fixture
def seen(look) -> SimpleNamespace:
    return look()


@pytest.fixture
def seen_coarser(look, monkeypatch) -> SimpleNamespace:
    monkeypatch.setattr(explorer, "MOST_CELLS", 200)
    return look()


def embedded(page: str) -> dict:
    return json.loads(re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.DOTALL)[1])


def test_the_page_holds_the_responses_and_the_centers_of_every_update(seen) -> None:
    data = embedded(seen.page)
    (pixel,) = seen.record["pixels"]
    shape = (data["rows"], data["columns"], data["channels"])
    first, second = (np.frombuffer(base64.b64decode(data[n]), "<f2").reshape(shape) for n in ("first", "second"))
    flows = np.frombuffer(base64.b64decode(data["flows"]), "<f4").reshape(-1, 2, *shape[:2])
    row, column = pixel["cell"]["row"], pixel["cell"]["column"]
    response = second.astype(float) @ first[row, column].astype(float) / np.sqrt(shape[2])
    exact = np.array(pixel["levels"][0]["response"])
    assert response == pytest.approx(exact, abs=2e-3 * np.abs(exact).max())
    centers = [*(update["center"] for update in pixel["updates"]), pixel["end"]]
    assert flows[:, :, row, column] + (column, row) == pytest.approx(np.array(centers), abs=1e-5)


def test_the_page_loads_nothing(seen) -> None:
    assert "explorer.html" in seen.record["files"]
    assert "default-src 'none'" in seen.page
    assert not re.search(r"https?://|(?:src|href)=[\"'](?!data:)", seen.page)


def test_a_file_name_ends_no_script(flowcli, weights, tmp_path) -> None:
    picture = np.zeros((*SIZE, 3), np.uint8)
    for name in ("<!--<script>.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), picture)
    assert flowcli("inspect", "<!--<script>.png", "b.png", "--weights", weights, "--iters", 1).code == 0
    assert embedded(Path("<!--<script>_inspect/explorer.html").read_text())["name"] == "<!--<script>"


def test_larger_frames_are_stored_coarser_and_the_record_says_so(seen_coarser) -> None:
    data = embedded(seen_coarser.page)
    assert seen_coarser.record["explorer"]["averaged_over"] == data["averaging"] == 2
    assert len(base64.b64decode(data["first"])) == 2 * 9 * 13 * data["channels"]


def test_averaging_leaves_a_remainder_out_as_the_pyramid_does() -> None:
    features = np.arange(2 * 5 * 7, dtype=np.float32).reshape(2, 5, 7)
    pooled = explorer.pooled(features, 2)
    assert pooled.shape == (2, 2, 3)
    assert pooled[1, 1, 2] == pytest.approx(features[1, 2:4, 4:6].mean())


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is absent")
def test_hovering_and_sliding_show_the_numbers_of_the_record(seen, tmp_path) -> None:
    (tmp_path / "page.html").write_text(seen.page.replace("</body>", HOVER))
    compare(shown(tmp_path / "page.html", "x=5&y=5&i=1"), seen.record, update=2)


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is absent")
def test_keys_move_the_pixel_and_step_through_the_updates(seen, tmp_path) -> None:
    (tmp_path / "page.html").write_text(seen.page.replace("</body>", KEYS))
    x, y = AT
    compare(shown(tmp_path / "page.html", f"x={x - 7}&y={y - 1}&i=3"), seen.record, update=2)


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is absent")
@pytest.mark.parametrize("update", [1, 3])
def test_an_address_names_a_pixel_and_an_update(seen, tmp_path, update) -> None:
    (tmp_path / "page.html").write_text(seen.page)
    compare(shown(tmp_path / "page.html", f"x={AT[0]}&y={AT[1]}&i={update}"), seen.record, update=update)


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is absent")
def test_a_coarser_page_computes_from_the_averages_and_fills_in_level_0(seen_coarser, tmp_path) -> None:
    data = embedded(seen_coarser.page)
    (tmp_path / "page.html").write_text(seen_coarser.page)
    _, *levels = shown(tmp_path / "page.html", f"x={AT[0]}&y={AT[1]}&i=1")
    shape = (data["rows"] // 2, data["columns"] // 2, data["channels"])
    first, second = (np.frombuffer(base64.b64decode(data[n]), "<f2").reshape(shape) for n in ("first", "second"))
    (pixel,) = seen_coarser.record["pixels"]
    row, column = pixel["cell"]["row"] // 2, pixel["cell"]["column"] // 2
    base = second.astype(float) @ first[row, column].astype(float) / np.sqrt(shape[2])
    below = base[:8, :12].reshape(4, 2, 6, 2).mean(axis=(1, 3))
    assert base.shape == (9, 13)
    for level, response in ((1, base), (2, below)):
        page = [float(levels[level]["minimum"]), float(levels[level]["maximum"])]
        assert page == pytest.approx([response.min(), response.max()], rel=1e-4)
    # Between the places of bilinear interpolation, values lie within those around them.
    assert base.min() <= float(levels[0]["minimum"]) <= float(levels[0]["maximum"]) <= base.max() * (1 + 1e-6)


def shown(page: Path, address: str) -> list[dict[str, str]]:
    """The data attributes of the pixel and of each level, as the browser leaves them."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000", "--dump-dom"]
    command = [CHROMIUM, *options, f"{page.absolute().as_uri()}#{address}"]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    tags = re.findall(r'<(?:section id="pixel"|article class="level" data-level="\d")[^>]*>', dom)
    return [{name: html.unescape(value) for name, value in re.findall(r'data-([\w-]+)="([^"]*)"', t)} for t in tags]


def compare(page: list[dict[str, str]], record: dict, *, update: int) -> None:
    pixel, *levels = page
    (exact,) = record["pixels"]
    there = exact["updates"][update - 1]
    assert (int(pixel["x"]), int(pixel["y"]), int(pixel["update"])) == (*AT, update)
    assert {"row": int(pixel["row"]), "column": int(pixel["column"])} == exact["cell"]
    moved = 8 * (np.array(there["center"]) - (exact["cell"]["column"], exact["cell"]["row"]))
    assert [float(pixel["there-x"]), float(pixel["there-y"])] == pytest.approx(AT + moved, abs=1e-4)
    assert [float(pixel["u"]), float(pixel["v"])] == pytest.approx(there["cell_flow"], abs=1e-5)
    assert [float(pixel["delta-u"]), float(pixel["delta-v"])] == pytest.approx(there["delta"], abs=1e-5)
    assert len(levels) == len(there["lookups"]) == 4
    for level, lookup, whole in zip(levels, there["lookups"], exact["levels"], strict=True):
        near = 2e-3 * max(abs(whole["minimum"]), abs(whole["maximum"]))
        assert [float(level["center-row"]), float(level["center-column"])] == pytest.approx(
            lookup["row_column"], abs=1e-5
        )
        assert np.array(level["window"].split(), float) == pytest.approx(np.ravel(lookup["window"]), abs=near)
        assert [float(level["minimum"]), float(level["maximum"])] == pytest.approx(
            [whole["minimum"], whole["maximum"]], abs=near
        )
        assert float(level["strongest"]) == pytest.approx(strongest(lookup), abs=near)


def strongest(lookup: dict) -> float:
    """The response at the offset that the record calls strongest; two as strong may differ in rounding alone."""
    dx, dy = lookup["strongest"]
    radius = len(lookup["window"]) // 2
    return lookup["window"][dy + radius][dx + radius]
