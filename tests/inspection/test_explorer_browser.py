"""explorer.html in Chromium: its numbers are those of inspect.json and of PyTorch, and it obeys its reader."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import numpy as np
import pytest

from flowcli.cli.app import run
from flowcli.flow.formats import flo
from flowcli.inspection import explorer
from flowcli.inspection.ablation import Switches
from raft_core.config import SMALL_CONVEX
from tests.inspection.chromium import CHROMIUM, Page, chromium
from tests.inspection.packed import data_in, updates_in
from tests.inspection.test_inspect_command import SIZE, write_pair

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="chromium is absent")]

AT, OTHER = (77, 63), (150, 100)
UPDATES = 6
SCREENS = [(1366, 768), (1920, 1080), (390, 844)]
STEPS = ["raft", "encode", "correlate", "look_up", "update", "upsample", "try"]


def inspect_pair(place: Path) -> Path:
    """Inspects a pair that moves by 6 px to the right, with ground truth; gives the folder."""
    first, second = write_pair(place)
    flo.write(place / "truth.flo", np.full((*SIZE, 2), (6, 0), np.float32))
    at = [f"--at={x},{y}" for x, y in (AT, OTHER)]
    arguments = ["inspect", str(first), str(second), *at, "--iters", str(UPDATES), "--gt", str(place / "truth.flo")]
    assert run(arguments) == 0
    return place / "a_inspect"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return inspect_pair(tmp_path_factory.mktemp("explorer"))


@pytest.fixture(scope="module")
def record(folder: Path) -> dict:
    return json.loads((folder / "inspect.json").read_text())


@pytest.fixture
def tab():
    """A tab, in which nothing may go wrong and nothing may be loaded from elsewhere."""
    with chromium() as page:
        page.screen(1366, 768)
        yield page
        assert page.errors == []
        assert {address.split(":")[0] for address in page.requests} <= {"about", "file", "data", "blob"}


@pytest.fixture
def page(tab: Page, folder: Path) -> Page:
    """The page at AT and update 1, on which RAFT has repeated all updates."""
    tab.open(folder / "explorer.html", f"x={AT[0]}&y={AT[1]}&i=1")
    finish(tab)
    return tab


def finish(page: Page) -> None:
    """Waits until PyTorch's run is repeated and the shown update is looked into."""
    page.wait(f"live.flows.length > {UPDATES} && !live.stale && live.detail")
    page.settle()


def place_on(page: Page, canvas: str, pixel: tuple[float, float]) -> tuple[float, float]:
    """The middle of a pixel of a frame, in the window."""
    height, width = SIZE
    return page.point(canvas, (pixel[0] + 0.5) / width, (pixel[1] + 0.5) / height)


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


# The numbers


def test_hovering_and_sliding_show_the_numbers_of_the_record(page: Page, record: dict) -> None:
    page.run("look(5, 5, true)")
    page.mouse("mouseMoved", place_on(page, "#frame", AT))
    page.run("byId('slider').value = 2; byId('slider').dispatchEvent(new Event('input'))")
    compare(page, record, update=2)
    page.mouse("mouseMoved", (2, 2))
    assert shown(page)[0]["x"] == "5"


def test_keys_move_the_pixel_and_step_through_the_updates(tab: Page, folder: Path, record: dict) -> None:
    tab.open(folder / "explorer.html", f"x={AT[0] - 7}&y={AT[1] - 1}&i=3")
    tab.key("ArrowRight", shift=True)
    for key in ("ArrowDown", "ArrowLeft", "["):
        tab.key(key)
    compare(tab, record, update=2)


@pytest.mark.parametrize("update", [1, UPDATES])
def test_an_address_names_a_pixel_and_an_update(tab: Page, folder: Path, record: dict, update: int) -> None:
    tab.open(folder / "explorer.html", f"x={AT[0]}&y={AT[1]}&i={update}")
    compare(tab, record, update=update)


def test_the_page_repeats_all_updates_of_pytorch_on_the_numbers_that_it_has(page: Page, folder: Path) -> None:
    flows = page.run("live.flows.slice(1).map((flow) => [...flow])")
    expected = updates_in(data_in(folder / "explorer.html"), SMALL_CONVEX)
    assert len(flows) == UPDATES
    for flow, exact in zip(flows, expected, strict=True):
        assert 8 * np.abs(np.reshape(flow, exact.shape) - exact).max() < 1e-3  # px


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
def test_a_run_without_a_part_equals_pytorchs(page: Page, folder: Path, clicked, radius, switches) -> None:
    page.run("choose('try')")
    if clicked is not None:
        page.click(f"#{clicked}")
        assert not page.run(f"byId('{clicked}').checked")
    page.run(f"byId('reach').value = {radius}")
    page.click("#run")
    page.wait(f"runs.mine && runs.mine.done === {UPDATES}")
    flows = page.run("runs.mine.flows.slice(1).map((flow) => [...flow])")
    expected = updates_in(data_in(folder / "explorer.html"), SMALL_CONVEX, switches)
    for flow, exact in zip(flows, expected, strict=True):
        assert 8 * np.abs(np.reshape(flow, exact.shape) - exact).max() < 1e-3  # px


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
        if step == "update":
            said = said[: said.index(".", len(sentence) - 1) + 1]
        assert number.sub("#", said.replace("+", "")) == number.sub("#", sentence.replace("+", ""))
        numbers = [[float(text) for text in number.findall(text)] for text in (said, sentence)]
        assert numbers[0] == pytest.approx(numbers[1], abs=1.01 if step == "upsample" else 0.11)


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


# What is seen


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("screen", SCREENS)
def test_frames_menu_and_numbers_are_in_sight_and_nothing_is_cut_off(tab: Page, folder: Path, screen, dark) -> None:
    width, height = screen
    tab.screen(width, height, dark=dark, touch=width < 500)
    tab.open(folder / "explorer.html", f"x={AT[0]}&y={AT[1]}&i=2")
    finish(tab)
    assert tab.run("document.documentElement.dataset.theme") == ("dark" if dark else "light")
    for step in STEPS:
        tab.run(f"choose('{step}')")
        tab.settle()
        assert tab.run("document.documentElement.scrollWidth") == width, step
        for part in ("#frame", "#second", "#slider", "#play", f"#tab-{step}", "#pixel", "#sentence", "#marks"):
            box = tab.run(f"(({{left, top, right, bottom}}) => [left, top, right, bottom])"
                          f"(document.querySelector('{part}').getBoundingClientRect())")  # fmt: skip
            assert min(box) >= 0 and box[2] <= width + 0.5 and box[3] <= height, (part, step, box)


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_the_page_as_wcag_asks(tab: Page, folder: Path, dark: bool) -> None:
    tab.screen(1366, 768, dark=dark)
    tab.open(folder / "explorer.html", "i=1")
    colours = [tab.run(f"colourOf('--{name}').trim()") for name in ("ink", "muted", "accent", "paper", "panel")]
    *texts, paper, panel = (luminance(colour) for colour in colours)
    for ground in (paper, panel):
        for text in texts:
            assert (max(text, ground) + 0.05) / (min(text, ground) + 0.05) >= 4.5


def luminance(colour: str) -> float:
    """WCAG's relative luminance of #rgb or #rrggbb."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


# What the reader does


def test_the_page_opens_at_update_1_and_plays_once(tab: Page, folder: Path) -> None:
    tab.screen(1366, 768, still=False)
    tab.open(folder / "explorer.html")
    assert tab.run("state.update") == 1
    tab.wait(f"state.update === {UPDATES}", seconds=30)
    tab.wait("playing.timer === null", seconds=5)
    assert tab.run("state.update") == UPDATES


def test_nothing_moves_by_itself_where_motion_is_to_be_reduced(tab: Page, folder: Path) -> None:
    tab.open(folder / "explorer.html")
    assert tab.run("[state.update, playing.timer]") == [1, None]
    tab.key(" ")
    assert tab.run("playing.timer !== null")


def test_a_dragged_correspondence_is_where_the_run_begins(page: Page) -> None:
    page.run("goTo(2)")
    from_, to = (place_on(page, "#second", place) for place in (AT, (AT[0] + 24, AT[1] + 16)))
    page.mouse("mousePressed", from_, held=True)
    page.mouse("mouseMoved", to, held=True)
    page.mouse("mouseReleased", to)
    cell = page.run("flowAt(1, cellOf(), runs.mine.flows)")
    assert (8 * cell["x"], 8 * cell["y"]) == pytest.approx((24, 16), abs=0.6)
    assert page.run("[state.run, state.step, state.update]") == ["mine", "try", 2]
    page.wait("runs.mine.done === runs.mine.until")
    page.settle()
    assert page.run("byId('outcome').textContent").startswith(f"Your run, update {UPDATES + 1} of {UPDATES + 1}: ")
    page.click("#forget")
    assert page.run("[state.run, state.update]") == ["pytorch", UPDATES]


def test_a_finger_chooses_pixels_and_drags_the_correspondence(tab: Page, folder: Path) -> None:
    tab.screen(390, 844, touch=True)
    tab.open(folder / "explorer.html", "x=5&y=5&i=1")
    finish(tab)
    tab.touch(place_on(tab, "#frame", (20, 20)), place_on(tab, "#frame", OTHER))
    x, y = tab.run("[state.x, state.y]")
    assert (x, y) == pytest.approx(OTHER, abs=1)
    tab.touch(place_on(tab, "#second", OTHER), place_on(tab, "#second", (OTHER[0] - 16, OTHER[1])))
    tab.wait("runs.mine && runs.mine.done >= 1")


def test_arrow_keys_in_the_second_frame_move_the_correspondence_and_enter_runs(page: Page) -> None:
    page.run("byId('second').focus()")
    page.key("ArrowRight")
    page.key("Enter")
    moved = page.run("flowAt(0, cellOf(), runs.mine.flows)")
    assert moved == {"x": 1, "y": 0}


def test_tabs_and_parts_of_the_diagram_choose_the_step(page: Page) -> None:
    assert page.run("[...document.querySelectorAll('[role=tab]')].map((tab) => tab.id.replace('tab-', ''))") == STEPS
    for number, step in enumerate(STEPS):
        page.key(str(number))
        selected = page.run("[...document.querySelectorAll('[aria-selected=true]')].map((tab) => tab.id)")
        panels = page.run("[...document.querySelectorAll('[role=tabpanel]:not([hidden])')].map((one) => one.id)")
        assert selected == [f"tab-{step}"]
        assert panels == [page.run(f"byId('tab-{step}').getAttribute('aria-controls')")]
    page.key("0")
    page.click("#part-gru")
    assert page.run("[state.step, document.activeElement.id]") == ["update", "tab-update"]
    page.key("ArrowRight")
    assert page.run("[state.step, document.activeElement.id]") == ["upsample", "tab-upsample"]


def test_everything_that_can_be_used_has_a_role_and_a_name(page: Page) -> None:
    used = {"button", "tab", "slider", "combobox", "checkbox", "application", "image", "tabpanel"}
    for step in STEPS:
        page.run(f"choose('{step}')")
        page.settle()
        nodes = page.send("Accessibility.getFullAXTree")["nodes"]
        named = [(node["role"]["value"], node.get("name", {}).get("value")) for node in nodes if not node["ignored"]]
        assert {"tab", "slider", "application", "tabpanel"} <= {role for role, _ in named}
        assert [role for role, name in named if role in used and not name] == [], step
    assert page.run("[...document.querySelectorAll('canvas')].filter((one) => !one.closest('#steps')"
                    " && !one.getAttribute('aria-label')).map((one) => one.id)") == []  # fmt: skip


def test_nothing_goes_wrong_whatever_the_reader_does(tab: Page, folder: Path) -> None:
    chance = random.Random(0)
    tab.screen(1366, 768, still=False)
    tab.open(folder / "explorer.html")
    actions = [
        lambda: tab.key(chance.choice(["[", "]", " ", "0", "3", "4", "5", "6", "ArrowUp", "ArrowLeft"])),
        lambda: tab.run(f"choose('try'); byId('{chance.choice(['run', 'go-on', 'forget'])}').click()"),
        lambda: tab.run(f"byId('use-{chance.choice(['level0', 'context', 'motion-features'])}').click()"),
        lambda: tab.mouse("mouseMoved", tab.point("#frame", chance.random(), chance.random())),
        lambda: tab.run(f"goTo({chance.choice([1, 1, 2, 5, 20])})"),
        lambda: drag(tab, chance),
    ]
    for _ in range(150):
        chance.choice(actions)()
    tab.settle()
    assert tab.run("live.failure") is None
    assert tab.run("live.worker !== null")


def drag(tab: Page, chance: random.Random) -> None:
    """Drags the correspondence from one place to another."""
    tab.mouse("mousePressed", tab.point("#second", chance.random(), chance.random()), held=True)
    to = tab.point("#second", chance.random(), chance.random())
    tab.mouse("mouseMoved", to, held=True)
    tab.mouse("mouseReleased", to)
