"""Tables on a narrow terminal."""

from __future__ import annotations

from flowcli.system.console import columns


def test_no_word_of_a_narrow_table_is_broken(monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "44")
    drawn = columns([["weights", "notes", "reason"], ["raft-small-convex", "is good " * 9, "is long " * 40]])
    assert max(map(len, drawn.splitlines())) <= 44
    assert set(drawn.split()) == {"weights", "notes", "reason", "raft-small-convex", "is", "good", "long"}
