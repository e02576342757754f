"""explorer.html in Chromium: what is in sight, and how it answers mouse, keys, touch and a reader's preferences."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from flowcli.cli.app import run
from raft_core import checkpoint
from raft_core.config import LARGE
from raft_core.raft import RAFT
from tests.inspection.chromium import CHROMIUM, Page
from tests.inspection.explorer_page import AT, OTHER, UPDATES, finish, inspect_pair, place_on
from tests.inspection.test_inspect_command import write_pair

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="chromium is absent")]

SCREENS = [(1366, 768), (1920, 1080), (390, 844)]
STEPS = ["raft", "encode", "correlate", "look_up", "update", "upsample", "try"]


# What is seen


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("screen", SCREENS)
def test_frames_menu_and_numbers_are_in_sight_and_nothing_is_cut_off(
    tab: Page, pair_folder: Path, screen, dark
) -> None:
    width, height = screen
    tab.screen(width, height, dark=dark, touch=width < 500)
    tab.open(pair_folder / "explorer.html", f"x={AT[0]}&y={AT[1]}&i=2")
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
        if step == "raft" and width > 500:
            assert tab.run("document.querySelector('.diagram').getBoundingClientRect().bottom") <= height


@pytest.mark.parametrize("size", [(240, 136), (96, 240)])
@pytest.mark.usefixtures("one_picture")
def test_upright_and_wide_frames_keep_their_shape_and_all_has_room(tab: Page, tmp_path: Path, size) -> None:
    first, second = write_pair(tmp_path, size)
    assert run(["inspect", str(first), str(second), "--iters", "2", "--at", "20,20"]) == 0
    for width, height in SCREENS:
        tab.screen(width, height, touch=width < 500)
        tab.open(tmp_path / "a_inspect/explorer.html", "i=2&step=encode")
        shape = "({ width, height }) => width / height * rows / columns"
        tiles = "[...byId('galleries').querySelectorAll('canvas')].map((one) => one.getBoundingClientRect())"
        assert tab.run(f"{tiles}.map({shape})") == pytest.approx([1] * 32, abs=0.05)
        for step in STEPS:
            tab.run(f"choose('{step}')")
            tab.settle()
            assert tab.run("document.documentElement.scrollWidth") == width, step
            cells = "[...document.querySelectorAll('figcaption, .facts td, .facts th')]"
            cut = f"{cells}.filter((one) => one.offsetParent && one.scrollWidth > one.clientWidth + 1)"
            assert tab.run(f"{cut}.map((one) => one.textContent)") == [], step
            lines = "[...document.querySelectorAll('.frames figcaption')].map((one) => one.clientHeight)"
            assert max(tab.run(lines)) < 36, step
            lowest = {"look_up": ".reading", "raft": ".diagram"}.get(step)
            if lowest and width > 500:
                assert tab.run(f"document.querySelector('{lowest}').getBoundingClientRect().bottom") <= height


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_the_page_as_wcag_asks(tab: Page, pair_folder: Path, dark: bool) -> None:
    tab.screen(1366, 768, dark=dark)
    tab.open(pair_folder / "explorer.html", "i=1")
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


def test_the_page_opens_at_update_1_and_plays_once(tab: Page, pair_folder: Path) -> None:
    tab.screen(1366, 768, still=False)
    tab.open(pair_folder / "explorer.html")
    assert tab.run("state.update") == 1
    tab.wait(f"state.update === {UPDATES}", seconds=30)
    tab.wait("playing.timer === null", seconds=5)
    assert tab.run("state.update") == UPDATES


def test_nothing_moves_by_itself_where_motion_is_to_be_reduced(tab: Page, pair_folder: Path) -> None:
    tab.open(pair_folder / "explorer.html")
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
    run, step, update = page.run("[state.run, state.step, state.update]")
    # Updates are shown as the worker makes them.
    assert (run, step) == ("mine", "try")
    assert update >= 2
    page.wait("runs.mine.done === runs.mine.until")
    page.settle()
    assert page.run("byId('outcome').textContent").startswith(f"Your run, update {UPDATES + 1} of {UPDATES + 1}: ")
    page.click("#forget")
    assert page.run("[state.run, state.update]") == ["pytorch", UPDATES]


def test_a_finger_chooses_pixels_and_drags_the_correspondence(tab: Page, pair_folder: Path) -> None:
    tab.screen(390, 844, touch=True)
    tab.open(pair_folder / "explorer.html", "x=5&y=5&i=1")
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


def test_a_page_without_its_models_update_operator_opens_and_says_so(tab: Page, tmp_path: Path) -> None:
    checkpoint.save(RAFT(LARGE), tmp_path / "large.safetensors")
    folder = inspect_pair(tmp_path, "--weights", str(tmp_path / "large.safetensors"), "--iters", "2")
    tab.screen(1366, 768)
    tab.open(folder / "explorer.html", "i=2")
    for step, place in (("update", "inside-waits"), ("upsample", "weights-wait"), ("try", "engine")):
        tab.run(f"choose('{step}')")
        tab.settle()
        assert tab.run(f"byId('{place}').textContent").startswith("The update operator of this model is too large")
    assert tab.run("byId('outcome').offsetParent === null && byId('tools').offsetParent === null")
    assert "drag" not in tab.run("document.querySelector('.frames').innerText")


def test_nothing_goes_wrong_whatever_the_reader_does(tab: Page, pair_folder: Path) -> None:
    chance = random.Random(0)
    tab.screen(1366, 768, still=False)
    tab.open(pair_folder / "explorer.html")
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
