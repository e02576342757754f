"""The scores of several methods on one dataset, as tables, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowcli.errors import UsageError
from flowcli.evaluation.summary import ItemScore
from flowcli.system.files import reported, write_whole
from raft_core.metrics import Average, FlowMetrics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from flowcli.evaluation.summary import ScoreReport
    from raft_core.metrics import Average

    Rows = list[list[str]]

# The title of each metric, and the factor of its printed value.
DETAILS = {
    "epe": ("EPE, px", 1),
    "below_1": ("within 1 px, %", 100),
    "below_3": ("within 3 px, %", 100),
    "below_5": ("within 5 px, %", 100),
    "outliers": ("Fl-all, %", 100),
    "wauc": ("WAUC, %", 100),
    "s0_10": ("EPE s0-10, px", 1),
    "s10_40": ("EPE s10-40, px", 1),
    "s40": ("EPE s40+, px", 1),
    "visible": ("EPE non-occluded, px", 1),
    "occluded": ("EPE occluded, px", 1),
}


@dataclass(frozen=True)
class Scores:
    """The score reports of several methods on the same items, by the methods' names."""

    reports: dict[str, ScoreReport]

    def rows(self) -> Rows:
        """A table of endpoint errors in px: a header, a row for each group, and the mean."""
        reports = list(self.reports.values())
        rows = [["EPE, px", "pairs", *self.reports]]
        for group, summary in reports[0].groups.items():
            rows.append([group, str(summary.items), *(f"{report.groups[group].epe:.3f}" for report in reports)])
        rows.append(["mean", str(reports[0].mean.items), *(f"{report.mean.epe:.3f}" for report in reports)])
        return rows

    def tables(self, worst: int) -> list[Rows]:
        """Tables of endpoint errors by group, of every metric averaged over pixels and over pairs, of worst pairs."""
        means = {name: report.mean for name, report in self.reports.items()}
        pixels = [["per pixel", "pixels", *means]]
        pixels += _metrics([mean.per_pixel.averages() for mean in means.values()])
        pairs = [["per pair", "pairs", *means]]
        pairs += _metrics([mean.per_image for mean in means.values()])
        return [self.rows(), pixels, pairs, *([self.worst(worst)] if worst else [])]

    def worst(self, count: int) -> Rows:
        """The items with the largest endpoint errors of each method, worst first."""
        rows = [["worst pairs", "group", "method", "EPE, px", "Fl-all, %"]]
        for name, report in self.reports.items():
            scored = [item for item in report.items if item.metrics.epe.count]
            for item in sorted(scored, key=lambda item: -item.metrics.epe.value)[:count]:
                fl = 100 * item.metrics.outliers.value
                rows.append([item.name, item.group, name, f"{item.metrics.epe.value:.3f}", f"{fl:.2f}"])
        return rows

    def notes(self) -> list[str]:
        """The protocol of the scores: part, pixels, averaging, and the settings of each method with weights."""
        first = next(iter(self.reports.values())).protocol
        lines = [
            f"{first['dataset']}, {first['part']} part, {first['pixels']}.",
            "EPE of groups and mean: over a pair's pixels, then over pairs. Fl-all: above 3 px and above 5 %.",
        ]
        for name, report in self.reports.items():
            facts = report.protocol
            if "sha256" in facts:
                start = "warm start" if facts["warm_start"] else "cold start"
                lines.append(
                    f"{name}: {effort_in_words(facts)}, {facts['precision']}, padding {facts['padding']}, "
                    f"{start}, {facts['device']}; sha256 {str(facts['sha256'])[:8]}"
                )
        return lines

    def text(self) -> str:
        """The reports as JSON: the first method's at the top level, the others' under `compared`."""
        first, *others = self.reports
        record = self.reports[first].record()
        if others:
            record["compared"] = {name: self.reports[name].record() for name in others}
        return json.dumps(record, indent=1)

    def csv(self) -> str:
        """A line for each method and item."""
        records = [{"method": name, **item.record()} for name, report in self.reports.items() for item in report.items]
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
        return text.getvalue()


def effort_in_words(facts: Mapping[str, Any]) -> str:
    """How many updates a method with weights makes, and how its flow is refined, by its protocol."""
    tolerance, refinement = facts["tolerance"], facts["refinement"]
    until = "" if tolerance is None else f" at a tolerance of {tolerance:g} px"
    refined = "" if refinement is None else f", {'learned' if refinement['learned'] else 'variational'} refinement"
    half = ", calm pairs at half the size" * bool(facts.get("first_look"))
    return f"{'up to ' * bool(until)}{facts['iterations']} iterations{until}{refined}{half}"


def _metrics(methods: Sequence[Mapping[str, Average]]) -> Rows:
    """A row for each metric that the data has, with the number of pixels or pairs it was averaged over."""
    rows = []
    for metric, (title, factor) in DETAILS.items():
        values = [averages[metric] for averages in methods]
        if any(value.count for value in values):
            cells = [f"{factor * value.value:.{3 if factor == 1 else 2}f}" if value.count else "–" for value in values]
            rows.append([title, str(values[0].count), *cells])
    return rows


Done = dict[str, dict[str, ItemScore]]
"""Scores by method, then by item."""


@dataclass(frozen=True)
class ScoreFile:
    """A JSON Lines file of scores: the protocol in its first line, then a line for every item and method."""

    path: Path

    def begin(self, protocol: Mapping[str, object], *, resume: bool, overwrite: bool) -> Done:
        """Creates the file, or with `resume` returns the scores in it.

        Raises UsageError where the file exists without `resume` or `overwrite`, or has another protocol.
        """
        header = json.dumps(protocol, sort_keys=True)
        if self.path.exists() and not overwrite and not resume:
            hint = "--resume continues it, -y overwrites it, -o writes elsewhere"
            raise UsageError(f"{self.path} exists already", hint=hint)
        if not resume or not self.path.exists():
            write_whole(self.path, f"{header}\n".encode())
            return {}
        # A killed run may leave an incomplete last line.
        first, *lines = self.path.read_text(encoding="utf-8").split("\n")[:-1] or [""]
        if first != header:
            raise UsageError(
                f"{self.path} was started with other data, methods or settings",
                hint="use the same ones to continue it, or another -o for a new run",
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
