"""A terminal gets colours and whole words; pipes get plain lines."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass

import pytest

from flowcli.system.console import Console, Result, write_line
from flowcli.system.progress import FREE, Bar
from flowcli.system.tables import columns
from flowcli.system.terminal import CLEAR, folded


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class Facts:
    """Names and values."""

    values: dict[str, str]

    def facts(self) -> dict[str, str]:
        return self.values

    def text(self) -> str:
        return ""


@pytest.fixture(autouse=True)
def _terminal_of_40_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")


def written(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, line: str, *, style: str | None = None) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    write_line(line, style=style)
    return stream.getvalue()


@pytest.mark.parametrize(("word", "style"), [("error", "1;31"), ("hint", "36"), ("note", "33")])
def test_a_terminal_shows_the_kind_of_a_message_in_colour(monkeypatch, word: str, style: str) -> None:
    assert written(monkeypatch, Terminal(), f"{word}: a: b") == f"{CLEAR}\x1b[{style}m{word}:\x1b[0m a: b\n"


def test_a_terminal_shows_summaries_in_colour(monkeypatch) -> None:
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    monkeypatch.setattr("flowcli.system.console.seconds_waited", lambda: 2.0)
    Console().conclude(Result((), "3 flows"))
    assert screen.getvalue() == f"{CLEAR}\x1b[32m3 flows; 2.0 s in all\x1b[0m\n"


def test_names_of_facts_are_coloured_and_problems_are_red(monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdout", screen := Terminal())
    Console().facts(Facts({"torch": "2.13", "problem 1": "no H.264"}))
    assert screen.getvalue() == "\x1b[36mtorch\x1b[0m      2.13\n\x1b[1;31mproblem 1\x1b[0m  no H.264\n"


def test_no_color_is_honoured(monkeypatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert written(monkeypatch, Terminal(), "error: a") == f"{CLEAR}error: a\n"


def test_a_dumb_terminal_gets_plain_lines(monkeypatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert written(monkeypatch, Terminal(), "error: a") == "error: a\n"


@pytest.mark.parametrize(
    ("line", "style"), [("error: a", None), ("3 flows in 2 s", "summary"), ("hint: " + 50 * "a ", None)]
)
def test_pipes_have_no_escapes_and_whole_lines(monkeypatch, line: str, style: str | None) -> None:
    assert written(monkeypatch, io.StringIO(), line, style=style) == f"{line}\n"


def test_long_lines_break_between_words_and_go_on_below_the_first() -> None:
    assert folded("use arrows, exr, film, flo, gif, hdf5, kitti, magnitude", Terminal(), indent=4).splitlines() == [
        "use arrows, exr, film, flo, gif,",
        "    hdf5, kitti, magnitude",
    ]


def test_a_long_path_begins_behind_the_word_error(monkeypatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    path = "/a" * 30
    assert written(monkeypatch, Terminal(), f"error: {path} is gone") == f"{CLEAR}error: {path}\n       is gone\n"


def test_commands_and_paths_stay_whole() -> None:
    command, path = "`flowcli batch clips -o out`", "/a" * 30
    lines = folded(f"for its videos, of which there are two: {command} {path}", Terminal()).splitlines()
    assert lines == ["for its videos, of which there are two:", command, path]


def test_bars_leave_room_for_the_interrupt_character() -> None:
    screen = Terminal()
    list(Bar(range(3), file=screen, dynamic_ncols=True, ncols=40, leave=False))
    drawn = [line for line in screen.getvalue().split("\r") if "%" in line]
    assert max(map(len, drawn)) == 40 - FREE


def test_tables_break_no_number_and_no_short_word(monkeypatch) -> None:
    header = ["method", "EPE, px", "remarks"]
    rows = [header, ["raft-small-convex", "12.345", "the default of all commands"], ["a" * 60, "1", ""]]
    drawn = columns(rows)
    assert all(word in drawn.split() for row in rows[:2] for cell in row for word in cell.split())
    monkeypatch.setenv("COLUMNS", "20")
    assert all(word in columns(rows).split() for word in ("raft-small-convex", "12.345", "commands"))


@pytest.mark.parametrize(("seconds", "pace"), [(0.5, "2.00 clips/s"), (10, "0.10 clips/s"), (80, "80 s per clip")])
def test_without_a_terminal_lines_say_the_pace_even_of_slow_work(monkeypatch, seconds: float, pace: str) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setattr("flowcli.system.console.SECONDS_BETWEEN_LINES", 0)
    clock = iter([0.0, seconds, 2 * seconds])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    assert list(Console().follow("ab", total=2, unit="clip")) == ["a", "b"]
    assert sys.stderr.getvalue().splitlines() == [
        f"1 clip done, {pace}, about {seconds:.0f} s left",
        f"2 clips done, {pace}",
    ]
