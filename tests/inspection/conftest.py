"""A tab of Chromium that shows an inspection, in which nothing may go wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flowcli.cli.app import run
from flowcli.inspection import run as inspection
from tests.inspection.chromium import Page, chromium
from tests.inspection.explorer_page import AT, finish, inspect_pair


@pytest.fixture(scope="session")
def pair_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return inspect_pair(tmp_path_factory.mktemp("explorer"))


@pytest.fixture(scope="session")
def demo_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """explorer.html of `inspect demo`, without the pictures and ablations beside it."""
    place = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(inspection, "draw_all", lambda _: iter(()))
        assert run(["inspect", "demo", "--without", "none", "-o", str(place)]) == 0
    return place / "fan_inspect" / "explorer.html"


@pytest.fixture(scope="session")
def record(pair_folder: Path) -> dict:
    return json.loads((pair_folder / "inspect.json").read_text())


@pytest.fixture
def tab():
    """A tab, in which nothing may go wrong and nothing may be loaded from elsewhere."""
    with chromium() as page:
        page.screen(1366, 768)
        yield page
        assert page.errors == []
        assert {address.split(":")[0] for address in page.requests} <= {"about", "file", "data", "blob"}


@pytest.fixture
def page(tab: Page, pair_folder: Path) -> Page:
    """The page at AT and update 1, on which RAFT has repeated all updates."""
    tab.open(pair_folder / "explorer.html", f"x={AT[0]}&y={AT[1]}&i=1")
    finish(tab)
    return tab
