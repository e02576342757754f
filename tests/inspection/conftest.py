"""Inspections without pictures, and a tab of Chromium that shows one, in which nothing may go wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from flowcli.cli.app import run
from flowcli.flow.formats import flo
from flowcli.inspection import run as inspection
from flowcli.inspection.pictures import flow
from flowcli.model.refinement import STATED
from raft_core import checkpoint
from raft_core.config import LARGE
from raft_core.raft import RAFT
from tests.inspection.chromium import Page, chromium
from tests.inspection.explorer_page import AT, finish, inspect_pair
from tests.inspection.test_inspect_command import SIZE, write_pair


@pytest.fixture
def one_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets inspect draw flow.png only: all pictures take five seconds, and have tests of their own."""
    monkeypatch.setattr("flowcli.inspection.run.draw_all", flow.draw)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An inspection in which nothing is null for good: learned upsampling, refinement, and a ground truth."""
    place = tmp_path_factory.mktemp("guide")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        checkpoint.save(RAFT(LARGE), place / "large.safetensors", metadata=STATED)
    flo.write(place / "truth.flo", np.full((*SIZE, 2), (6, 0), np.float32))
    first, second = map(str, write_pair(place))
    options = ["--at", "100,70", "--at", "0,139", "--gt", f"{place}/truth.flo", "--iters", "2", "--without", "context"]
    assert run(["inspect", first, second, *options, "--weights", f"{place}/large.safetensors"]) == 0
    return place / "a_inspect"


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
