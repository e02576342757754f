"""A small inspection, and where a reader finds its parts on explorer.html."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from flowcli.cli.app import run
from flowcli.flow.formats import flo
from tests.inspection.chromium import Page
from tests.inspection.test_inspect_command import SIZE, write_pair

AT, OTHER = (77, 63), (150, 100)
UPDATES = 6


def inspect_pair(place: Path, *options: str) -> Path:
    """Inspects a pair that moves by 6 px to the right, with ground truth and more options; gives the folder."""
    first, second = write_pair(place)
    flo.write(place / "truth.flo", np.full((*SIZE, 2), (6, 0), np.float32))
    at = [f"--at={x},{y}" for x, y in (AT, OTHER)]
    usual = [*at, "--iters", str(UPDATES), "--gt", str(place / "truth.flo")]
    arguments = ["inspect", str(first), str(second), *usual, *options]
    assert run(arguments) == 0
    return place / "a_inspect"


def finish(page: Page) -> None:
    """Waits until PyTorch's run is repeated and the shown update is looked into."""
    page.wait(f"live.flows.length > {UPDATES} && !live.stale && live.detail")
    page.settle()


def place_on(page: Page, canvas: str, pixel: tuple[float, float]) -> tuple[float, float]:
    """The middle of a pixel of a frame, in the window."""
    height, width = SIZE
    return page.point(canvas, (pixel[0] + 0.5) / width, (pixel[1] + 0.5) / height)
