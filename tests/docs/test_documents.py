"""The README and the guide say what is true: their links, commands, tables and figures."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest
from typer.main import get_command

from flowcli.cli.app import EPILOG, app
from flowcli.flow.formats import ARRAYS, FORMATS
from flowcli.flow.outputs import descriptions
from flowcli.training.recipes import find_recipe
from flowcli.training.run import in_parts
from tests.docs.commands import PAGE, page
from tests.docs.markdown import GUIDE, PAGES, ROOT, anchors, commands, links, prose, tables, text

COMMANDS = [pytest.param(line, id=f"{name}: {line}") for name in GUIDE for line in commands(name)]
QUOTED = sorted({line for name in GUIDE for line in re.findall(r"`flowcli ([a-z][^`]*)`", prose(name))})
FASTEST = "s a pair"
"""The column by which the tables of error and time are known."""


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the words of a command line name, and the other words."""
    command: Any = get_command(app)
    while hasattr(command, "commands") and words and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_to_a_file_and_its_heading(name: str) -> None:
    for target in links(name):
        path, _, anchor = target.partition("#")
        file = (PAGES[name].parent / path).resolve() if path else PAGES[name]
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file.relative_to(ROOT).as_posix()), target


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_of_the_guide_is_accepted(line: str) -> None:
    command, words = command_of(shlex.split(line, comments=True))
    context = command.make_context(command.name, words)
    if line.startswith(("pair ", "video ", "batch ")):
        assert set(context.params["save"].split(",")) <= set(descriptions())
    if line.startswith("convert ") and context.params["to"]:
        assert context.params["to"] in FORMATS


@pytest.mark.parametrize("name", ["docs/training.md", "docs/commands.md"])
def test_the_processes_of_every_distributed_run_can_share_its_batches(name: str) -> None:
    found = re.findall(r"torchrun --nproc-per-node (\d+) .*?flowcli (train .*)", text(name))
    assert found
    for processes, line in found:
        given = dict(re.findall(r"--(recipe|accumulate) (\w+)", line))
        recipe = in_parts(find_recipe(given.get("recipe", "cpu")), int(given.get("accumulate", 1)))
        assert all(stage.parts % int(processes) == 0 for stage in recipe.stages), line


@pytest.mark.parametrize("line", QUOTED)
def test_every_command_in_a_sentence_exists(line: str) -> None:
    command, words = command_of(line.split())
    assert not hasattr(command, "commands") or command.name == "weights"
    known = {"--help", *(name for parameter in command.params for name in parameter.opts)}
    assert {word for word in words if word.startswith("-") and word != "-"} <= known


def test_the_guide_has_commands() -> None:
    assert len(COMMANDS) > 60
    assert len(QUOTED) > 10


def test_the_command_reference_is_that_of_the_commands() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.docs.commands"


def test_the_figures_of_the_readme_are_those_of_the_benchmarks() -> None:
    (shown,), (measured,) = (
        [rows for rows in tables(name) if FASTEST in rows[0]] for name in ("README.md", "tests/benchmarks/README.md")
    )
    assert shown[0][1:] == measured[0][1:]
    known = {row[0]: row for row in measured}
    for row in shown[1:]:
        assert row == known[row[0]]
    names = ("DIS medium", "flowcli balanced", "flowcli fast")
    dis, balanced, fast = ([float(cell) for cell in known[name][1:]] for name in names)
    # As the README says: a thirteenth and three tenths of their time.
    for ours, times in ((balanced, 13), (fast, 10 / 3)):
        assert all(error < other for error, other in zip(ours[1:], dis[1:], strict=True))
        assert 0.8 < times * dis[0] / ours[0] < 1.25


def test_every_output_and_format_is_in_the_tables_of_formats() -> None:
    saved, layouts = (
        {name for row in rows[1:] for name in re.findall(r"`(\w+)`", row[0])}
        for rows in tables("docs/formats.md")
        if rows[0][0] in {"`--save`", "format"}
    )
    assert saved == set(descriptions())
    stacked = {*ARRAYS, "npz_video"}
    assert layouts == {*FORMATS, *stacked}
    assert f"[{len(layouts)} formats](docs/formats.md)" in text("README.md")


def test_the_keys_of_the_report_are_documented(compute, place, make_images) -> None:
    folder = make_images()
    assert compute("pair", folder / "0.png", folder / "1.png", "-o", "out").code == 0
    (rows,) = (rows for rows in tables("docs/formats.md") if rows[0][0] == "key")
    documented = {name for row in rows[1:] for name in re.findall(r"`(\w+)`", row[0])}
    assert documented == set(json.loads((place / "out/0_flow.json").read_bytes()))


def test_every_exit_code_is_in_the_table_of_troubles() -> None:
    (rows,) = (rows for rows in tables("docs/troubleshooting.md") if rows[0][0] == "code")
    assert [row[0] for row in rows[1:]] == re.findall(r"^(\d[\d, ]*?) {2,}", EPILOG, re.MULTILINE)


def test_pictures_are_shown_and_small() -> None:
    pictures = set((ROOT / "docs/pictures").glob("*.webp"))
    shown = {(PAGES[name].parent / target).resolve() for name in GUIDE for target in links(name)}
    assert pictures <= shown
    assert sum(path.stat().st_size for path in pictures) < 1_500_000
