"""explorer.html in Chromium: its numbers are those of inspect.json and of PyTorch."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from flowcli.inspection import explorer, update_layers
from flowcli.inspection.ablation import Switches
from tests.inspection.chromium import CHROMIUM, Page
from tests.inspection.explorer_page import AT, UPDATES, finish, inspect_pair, place_on
from tests.inspection.packed import data_in, unpacked, updates_in

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="chromium is absent")]


def shown(page: Page) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The data attributes of the pixel and of each level."""
    page.settle()
    levels = "[...document.querySelectorAll('.level')].map((one) => ({ ...one.dataset }))"
    return page.run(f"[{{ ...byId('pixel').dataset }}, {levels}]")


def compare(page: Page, record: dict, *, update: int) -> None:
    """Compares what the page shows at AT with the record."""
    pixel, levels = shown(page)
    exact = record["pixels"][0]
    there = exact["updates"][update - 1]
    assert (int(pixel["x"]), int(pixel["y"]), int(pixel["update"])) == (*AT, update)
    assert {"row": int(pixel["row"]), "column": int(pixel["column"])} == exact["cell"]
    moved = 8 * (np.array(there["center"]) - (exact["cell"]["column"], exact["cell"]["row"]))
    assert [float(pixel["thereX"]), float(pixel["thereY"])] == pytest.approx(AT + moved, abs=1e-4)
    assert [float(pixel["u"]), float(pixel["v"])] == pytest.approx(there["cell_flow"], abs=1e-5)
    assert [float(pixel["deltaU"]), float(pixel["deltaV"])] == pytest.approx(there["delta"], abs=1e-5)
    assert len(levels) == len(there["lookups"]) == 4
    for level, lookup, whole in zip(levels, there["lookups"], exact["levels"], strict=True):
        near = 1e-4 * max(abs(whole["minimum"]), abs(whole["maximum"]))
        center = [float(level["centerRow"]), float(level["centerColumn"])]
        assert center == pytest.approx(lookup["row_column"], abs=1e-5)
        assert np.array(level["window"].split(), float) == pytest.approx(np.ravel(lookup["window"]), abs=near)
        extent = [float(level["minimum"]), float(level["maximum"])]
        assert extent == pytest.approx([whole["minimum"], whole["maximum"]], abs=near)
        assert float(level["strongest"]) == pytest.approx(strongest(lookup), abs=near)


def strongest(lookup: dict) -> float:
    """The response at the offset that the record calls strongest; two as strong may differ in rounding alone."""
    dx, dy = lookup["strongest"]
    radius = len(lookup["window"]) // 2
    return lookup["window"][dy + radius][dx + radius]


def test_hovering_and_sliding_show_the_numbers_of_the_record(page: Page, record: dict) -> None:
    page.run("look(5, 5, true)")
    page.mouse("mouseMoved", place_on(page, "#frame", AT))
    page.run("byId('slider').value = 2; byId('slider').dispatchEvent(new Event('input'))")
    compare(page, record, update=2)
    page.mouse("mouseMoved", (2, 2))
    assert shown(page)[0]["x"] == "5"


def test_nothing_is_drawn_where_a_lookup_lies_outside_the_map(page: Page) -> None:
    page.run("look(0, 0, true); goTo(1)")
    _, levels = shown(page)
    assert levels[0]["window"].split()[0] == "0"
    window = "byId('levels').querySelector('.window')"
    alpha = f"[2, {window}.width - 3].map((at) => {window}.getContext('2d').getImageData(at, at, 1, 1).data[3])"
    assert page.run(alpha) == [0, 255]


def test_keys_move_the_pixel_and_step_through_the_updates(tab: Page, pair_folder: Path, record: dict) -> None:
    tab.open(pair_folder / "explorer.html", f"x={AT[0] - 7}&y={AT[1] - 1}&i=3")
    tab.key("ArrowRight", shift=True)
    for key in ("ArrowDown", "ArrowLeft", "["):
        tab.key(key)
    compare(tab, record, update=2)


def test_inspected_pixels_are_numbered_as_in_the_figures_and_chosen_by_their_buttons(page: Page, record: dict) -> None:
    buttons = page.run("[...byId('marks').children].map((button) => button.textContent)")
    assert buttons == [f"{n}: {one['x']}, {one['y']} requested" for n, one in enumerate(record["pixels"], start=1)]
    page.click("#marks button:nth-child(2)")
    assert page.run("[state.x, state.y]") == [record["pixels"][1]["x"], record["pixels"][1]["y"]]
    page.key("4")
    assert page.run("state.step") == "update"


@pytest.mark.parametrize("update", [1, UPDATES])
def test_an_address_names_a_pixel_and_an_update(tab: Page, pair_folder: Path, record: dict, update: int) -> None:
    tab.open(pair_folder / "explorer.html", f"x={AT[0]}&y={AT[1]}&i={update}")
    compare(tab, record, update=update)


def apart(flows: list, others: list) -> float:
    """The largest distance in px between two runs' flows in cells, over all updates."""
    pairs = zip(flows, others, strict=True)
    return max(8 * np.linalg.norm(np.reshape(one, other.shape) - other, axis=2).max() for one, other in pairs)


def test_the_page_repeats_all_updates_of_pytorch_on_the_numbers_that_it_has(page: Page, pair_folder: Path) -> None:
    data = data_in(pair_folder / "explorer.html")
    flows = page.run("live.flows.slice(1).map((flow) => [...flow])")
    assert apart(flows, updates_in(data)) < 1e-3
    recorded = unpacked(data["flows"], UPDATES + 1, data["rows"], data["columns"], 2)
    assert apart(flows, list(recorded[1:])) < 1e-3


def test_a_page_with_features_in_16_bits_runs_raft_on_them_and_says_how_far_it_is_from_pytorch(
    tab: Page, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(update_layers, "MOST_BYTES", 0)
    page = inspect_pair(tmp_path) / "explorer.html"
    tab.open(page, "i=1")
    finish(tab)
    flows, data = tab.run("live.flows.slice(1).map((flow) => [...flow])"), data_in(page)
    assert data["live"]["hidden"]["kind"] == "fixed16"
    assert apart(flows, updates_in(data)) < 1e-3
    recorded = unpacked(data["flows"], UPDATES + 1, data["rows"], data["columns"], 2)
    largest = tab.run("Math.max(...live.difference.map((one) => one.largest))")
    assert largest == pytest.approx(apart(flows, list(recorded[1:])), abs=1e-6)
    assert tab.run(f"engineText().endsWith(`at most ${{small({largest})}} px.`)")


def test_fifteen_updates_of_the_demo_equal_pytorchs_within_a_thousandth_of_a_pixel(tab: Page, demo_page: Path) -> None:
    assert demo_page.stat().st_size <= 15e6
    tab.open(demo_page, "i=1")
    tab.wait("live.flows.length > data.updates", seconds=300)
    flows, data = tab.run("live.flows.slice(1).map((flow) => [...flow])"), data_in(demo_page)
    assert len(flows) == 15
    assert apart(flows, updates_in(data)) < 1e-3
    assert f"at most {tab.run('Math.max(...live.difference.map((one) => one.largest))'):.4f} px" in tab.run(
        "engineText()"
    )


@pytest.mark.parametrize(
    ("clicked", "radius", "switches"),
    [
        ("use-context", 3, Switches(("context",))),
        ("use-level1", 3, Switches(("level1",))),
        ("use-motion-features", 3, Switches(("motion",))),
        (None, 1, Switches(radius=1)),
        (None, 3, None),
    ],
)
def test_a_run_without_a_part_equals_pytorchs(page: Page, pair_folder: Path, clicked, radius, switches) -> None:
    page.run("choose('try')")
    if clicked is not None:
        page.click(f"#{clicked}")
        assert not page.run(f"byId('{clicked}').checked")
    page.run(f"byId('reach').value = {radius}")
    page.click("#run")
    page.wait(f"runs.mine && runs.mine.done === {UPDATES}")
    flows = page.run("runs.mine.flows.slice(1).map((flow) => [...flow])")
    assert apart(flows, updates_in(data_in(pair_folder / "explorer.html"), switches)) < 1e-3


@pytest.mark.parametrize("update", [1, UPDATES])
def test_gates_weights_and_the_flow_of_the_pixel_are_those_of_the_record(page: Page, record, update: int) -> None:
    page.run(f"goTo({update})")
    page.wait(f"live.detail && JSON.parse(live.detail.key).update === {update}")
    pixel, _ = shown(page)
    exact = record["pixels"][0]
    there = exact["updates"][update - 1]
    assert [float(pixel["fineU"]), float(pixel["fineV"])] == pytest.approx(there["flow"], abs=0.01)
    for name, key in (("updateGate", "update"), ("resetGate", "reset")):
        gate = page.run(f"[...live.detail.{name}]")
        assert gate == pytest.approx(np.ravel(there["gates"][key]), abs=2e-3)
    if update == UPDATES:
        weights = np.array(pixel["weights"].split(), float)
        assert weights == pytest.approx(np.ravel(exact["upsampling_weights"]), abs=2e-3)


def test_the_sentences_are_those_of_the_command(page: Page, record: dict) -> None:
    number = re.compile(r"-?\d+(?:\.\d+)?")
    page.run(f"goTo({UPDATES})")
    page.wait(f"live.detail && JSON.parse(live.detail.key).update === {UPDATES}")
    pixel = record["pixels"][0]
    told = {name: pixel["story"][name] for name in ("encode", "correlate", "upsample")}
    told["update"] = pixel["updates"][-1]["sentence"]
    for step, sentence in told.items():
        page.run(f"choose('{step}')")
        page.settle()
        said = page.run("byId('sentence').textContent")
        assert number.sub("#", said.replace("+", "")) == number.sub("#", sentence.replace("+", ""))
        numbers = [[float(text) for text in number.findall(text)] for text in (said, sentence)]
        assert numbers[0] == pytest.approx(numbers[1], abs=1.01 if step in {"upsample", "update"} else 0.11)


def test_a_coarser_page_computes_from_the_averages_and_fills_in_level_0(tab: Page, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(explorer, "MOST_CELLS", 200)
    folder = inspect_pair(tmp_path)
    data = data_in(folder / "explorer.html")
    tab.open(folder / "explorer.html", f"x={AT[0]}&y={AT[1]}&i=1")
    _, levels = shown(tab)
    first, second = (tab.run(f"[...tensors.{name}]") for name in ("first", "second"))
    shape = (data["rows"] // 2, data["columns"] // 2, data["channels"])
    first, second = np.reshape(first, shape), np.reshape(second, shape)
    cell = json.loads((folder / "inspect.json").read_text())["pixels"][0]["cell"]
    base = second @ first[cell["row"] // 2, cell["column"] // 2] / np.sqrt(shape[2])
    below = base[:8, :12].reshape(4, 2, 6, 2).mean(axis=(1, 3))
    assert base.shape == (9, 13)
    for level, response in ((1, base), (2, below)):
        extent = [float(levels[level]["minimum"]), float(levels[level]["maximum"])]
        assert extent == pytest.approx([response.min(), response.max()], rel=1e-4)
    # Between the places of bilinear interpolation, values lie within those around them.
    assert base.min() <= float(levels[0]["minimum"]) <= float(levels[0]["maximum"]) <= base.max() * (1 + 1e-6)
    assert "averaged over 2 × 2" in tab.run("byId('coarser').textContent")
