"""Scores on disk as they come, a line each, so that an evaluation that was stopped can go on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowcli.errors import UsageError
from flowcli.evaluation import ItemScore
from flowcli.system.files import reported, write_whole
from raft_core.metrics import Average, FlowMetrics

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Done = dict[str, dict[str, ItemScore]]
"""Scores by method and by item."""


@dataclass(frozen=True)
class Journal:
    """A file of scores: what they are scores of in its first line, then a line for every item and method."""

    path: Path

    def begin(self, protocol: Mapping[str, object], *, resume: bool, overwrite: bool) -> Done:
        """Starts the file, or takes up what it holds; raises UsageError where that is not asked for or not the same."""
        header = json.dumps(protocol, sort_keys=True)
        if self.path.exists() and not overwrite and not resume:
            hint = "--resume goes on with it, -y begins anew, -o writes elsewhere"
            raise UsageError(f"{self.path} exists already", hint=hint)
        if not resume or not self.path.exists():
            write_whole(self.path, f"{header}\n".encode())
            return {}
        # What comes after the last line break was cut short.
        first, *lines = self.path.read_text(encoding="utf-8").split("\n")[:-1] or [""]
        if first != header:
            raise UsageError(
                f"{self.path} was begun with other data, methods or settings",
                hint="give the same ones to go on, or another -o to begin anew",
            )
        write_whole(self.path, "".join(f"{line}\n" for line in (first, *lines)).encode())
        done: Done = {}
        for record in map(json.loads, lines):
            metrics = FlowMetrics(**{name: Average(*average) for name, average in record["metrics"].items()})
            score = ItemScore(record["name"], record["group"], metrics)
            done.setdefault(record["method"], {})[score.name] = score
        return done

    def add(self, method: str, score: ItemScore) -> None:
        """Appends one score."""
        metrics = {name: (average.total, average.count) for name, average in score.metrics.averages().items()}
        record = {"method": method, "name": score.name, "group": score.group, "metrics": metrics}
        with reported(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
