"""Tables on a narrow terminal."""

from __future__ import annotations

from flowcli.system.console import columns


def test_no_word_of_a_narrow_table_is_broken(monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    words = "a sentence that is far too long for its column " * 3
    drawn = columns([["weights", "Fl-all", "reason"], ["raft-small-convex", "above 3 px", words]])
    lines = drawn.splitlines()
    assert max(map(len, lines)) <= 60
    assert set(drawn.split()) <= {
        "weights",
        "Fl-all",
        "reason",
        "raft-small-convex",
        "above",
        "3",
        "px",
        *words.split(),
    }
