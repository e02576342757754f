"""README.md of an inspection documents what the folder holds and every key of inspect.json, no more and no less."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from flowcli.inspection.figures import FIGURES, figure_of


def keys(value: object, path: str = "") -> Iterator[str]:
    """Every key that holds no further ones; those of objects in a list as `list[].key`."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from keys(part, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for part in value:
            yield from keys(part, f"{path}[]")
    else:
        yield path


def names_in(text: str, *, column: int) -> set[str]:
    """The names in a column of the tables, from 1."""
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| ")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row[column])}


def test_the_guide_names_every_key_of_the_record_and_the_reverse(folder: Path) -> None:
    _, tables = (folder / "README.md").read_text().split("# inspect.json\n")
    assert names_in(tables, column=1) == set(keys(json.loads((folder / "inspect.json").read_text())))


def test_the_guide_names_every_file_and_the_reverse(folder: Path) -> None:
    files, _ = (folder / "README.md").read_text().split("# inspect.json\n")
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    general = {re.sub(r"level_\d", "level_N", re.sub(r"pixel_\d+_\d+", "pixel_X_Y", name)) for name in found}
    assert names_in(files, column=2) == general


def test_the_guide_numbers_the_figures_as_the_pictures_and_the_record_do(folder: Path) -> None:
    rows = re.findall(r"^\| (\d+) \| `([^`]+)`.*\|\s*([^|]*?)\s*\|$", (folder / "README.md").read_text(), re.MULTILINE)
    guide = {
        figure_of(name.replace("X_Y", "1_2").replace("N", "1")): (int(number), article)
        for number, name, article in rows
    }
    assert guide == {figure: (figure.number, figure.article or "") for figure in FIGURES.values()}
    record = json.loads((folder / "inspect.json").read_text())
    assert [figure["number"] for figure in record["figures"]] == list(range(1, len(FIGURES) + 1))
    pictures = {name for name in record["files"] if not name.endswith((".html", ".md"))}
    assert {name for figure in record["figures"] for name in figure["files"]} == pictures


def test_the_guides_example_reads_the_record(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    monkeypatch.chdir(folder)
    exec(example, {})
    assert re.match(
        r"last lookup at \[[-\d. ]+\]; strongest response at \[\d+, \d+\]; flow \[", capsys.readouterr().out
    )


def test_the_weights_and_the_cells_around_make_the_flow_of_a_pixel(folder: Path) -> None:
    for pixel in json.loads((folder / "inspect.json").read_text())["pixels"]:
        around = np.nan_to_num(np.array(pixel["upsampling_flow"], np.float64))
        flow = np.tensordot(pixel["upsampling_weights"], around, axes=2)
        assert pixel["flow"] == pytest.approx(flow, abs=1e-4)


def test_the_ranges_of_the_pictures_are_those_of_the_flow(folder: Path) -> None:
    record = json.loads((folder / "inspect.json").read_text())
    right, down = record["motion_features"][-2:]
    assert (right["channel"], down["channel"]) == (126, 127)
    # Before the first update there is no flow; every pixel's is within the range of its cell's.
    assert right["low"] <= 0 <= right["high"]
    for pixel in record["pixels"]:
        before = np.array(pixel["updates"][0]["cell_flow"])
        assert right["low"] <= before[0] <= right["high"]
        assert down["low"] <= before[1] <= down["high"]
        for level in pixel["levels"]:
            windows = [update["lookups"][level["level"]]["window"] for update in pixel["updates"]]
            assert (level["lookup_low"], level["lookup_high"]) == (np.min(windows), np.max(windows))
    difference = record["upsampling"]["difference"]
    assert 0 < difference["mean"] < difference["maximum"]
