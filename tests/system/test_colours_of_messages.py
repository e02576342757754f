"""Errors, hints and notes are coloured on a terminal, and nowhere else."""

from __future__ import annotations

import io
import sys

import pytest

from flowcli.system.console import write_line


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def written(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, line: str) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    write_line(line)
    return stream.getvalue()


@pytest.mark.parametrize(("word", "style"), [("error", "1;31"), ("hint", "36"), ("note", "33")])
def test_a_terminal_shows_the_kind_of_a_message_in_colour(monkeypatch, word: str, style: str) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert written(monkeypatch, Terminal(), f"{word}: a: b") == f"\x1b[{style}m{word}:\x1b[0m a: b\n"


def test_no_color_is_honoured(monkeypatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert written(monkeypatch, Terminal(), "error: a") == "error: a\n"


@pytest.mark.parametrize("line", ["error: a", "3 flows in 2 s: done"])
def test_pipes_have_no_escapes(monkeypatch, line: str) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert written(monkeypatch, io.StringIO(), line) == f"{line}\n"
