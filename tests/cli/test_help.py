"""The help of commands is short, and begins with what most people use."""

from __future__ import annotations

import pytest

from flowcli.cli import commands
from flowcli.model.quality import QUALITIES


def test_the_help_of_video_fills_two_screens_of_a_narrow_terminal(flowcli) -> None:
    assert len(flowcli("video", "--help").out) <= 102


def test_the_help_states_the_tolerances_of_all_qualities(flowcli) -> None:
    tolerances = {px for quality in QUALITIES.values() for px in (quality.tolerance, quality.unrefined) if px}
    (line,) = (line for line in flowcli("video", "--help").out if line.startswith("  --tolerance "))
    assert line.rstrip().endswith(f"Default: {min(tolerances)} to {max(tolerances)}.")


@pytest.mark.parametrize("command", [[], ["video"], ["weights"], ["weights", "list"]])
def test_h_is_help(flowcli, command: list[str]) -> None:
    assert flowcli(*command, "-h") == flowcli(*command, "--help")


def test_the_usage_of_inspect_names_its_inputs(flowcli) -> None:
    assert flowcli("inspect", "--help").out[0].strip() == "Usage: flowcli inspect [OPTIONS] INPUT..."


def test_commands_are_listed_in_the_order_of_use(flowcli) -> None:
    lines = flowcli("--help").out
    start, end = lines.index("Commands:"), lines.index("Options:")
    listed = [line.split()[0] for line in lines[start + 1 : end] if line.startswith("  ") and line[2] != " "]
    assert listed == list(commands.ORDER)


def test_the_options_of_video_that_most_people_use_come_first(flowcli) -> None:
    lines = flowcli("video", "--help").out
    headings = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert headings == [
        "Arguments:",
        "Options:",
        "Which frames:",
        "How flow is computed:",
        "How flow is drawn:",
        "How outputs are encoded:",
        "Runs and messages:",
    ]
    first = lines[lines.index("Options:") + 1 : lines.index("Which frames:")]
    assert len([line for line in first if line.startswith("  -")]) <= 15


def test_few_options_have_one_heading(flowcli) -> None:
    headings = [line for line in flowcli("demo", "--help").out if line.endswith(":") and not line.startswith(" ")]
    assert headings == ["Options:"]
