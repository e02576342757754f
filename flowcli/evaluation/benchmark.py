"""Scores several methods of estimating flow on one dataset, pair by pair, so that a stopped run can be resumed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowcli.errors import UsageError
from flowcli.evaluation import datasets
from flowcli.evaluation.methods import methods
from flowcli.evaluation.scores import ScoreFile, Scores
from flowcli.evaluation.summary import ScoreReport, score
from flowcli.evaluation.worst_pairs import WorstPairs
from flowcli.system.files import write_whole
from flowcli.system.signals import Stop, StoppedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from flowcli.evaluation.datasets import Sample
    from flowcli.evaluation.methods import Method, MethodOptions
    from flowcli.evaluation.scores import Done
    from flowcli.system.console import Console


@dataclass(frozen=True)
class Benchmark:
    """The settings of one run of `flowcli eval`.

    With a `folder`, each score is appended to a file there at once, and the errors of each method's `worst` pairs are
    drawn there. `count_invalid` includes pixels of known flow that the dataset's publisher excludes.
    """

    dataset: str
    root: Path
    options: MethodOptions
    part: str = "validation"
    count_invalid: bool = False
    folder: Path | None = None
    resume: bool = False
    overwrite: bool = False
    worst: int = 0

    def protocol(self, method: Method) -> dict[str, object]:
        """The settings to report with this method's scores."""
        pixels = "all pixels of known flow" if self.count_invalid else "pixels that the publisher calls valid"
        facts = {"method": method.name, "dataset": self.dataset, "part": self.part, "pixels": pixels}
        return {**facts, **method.protocol}


def run_benchmark(benchmark: Benchmark, console: Console) -> Scores:
    """Scores every method on every pair of the dataset.

    Raises UsageError or SourceError for unusable settings, folders and files, and StoppedError after a signal.
    """
    if benchmark.resume and benchmark.folder is None:
        raise UsageError("--resume needs the folder of the run", hint="give it with -o")
    samples = datasets.samples(benchmark.dataset, benchmark.root, benchmark.part)
    chosen = methods(benchmark.options)
    protocols = {method.name: benchmark.protocol(method) for method in chosen}
    done: Done = {method.name: {} for method in chosen}
    journal = None
    if benchmark.folder is not None:
        journal = ScoreFile(benchmark.folder / "scores.jsonl")
        header = {"root": str(benchmark.root.resolve()), "protocols": protocols}
        done |= journal.begin(header, resume=benchmark.resume, overwrite=benchmark.overwrite)
    try:
        fill_in(done, chosen, samples, benchmark, console=console, journal=journal)
    except Stop as stop:
        hint = (
            "--resume continues from here" if journal else "with -o FOLDER, a stopped run can be continued by --resume"
        )
        raise StoppedError(stop.number, hint=hint) from stop
    scores = Scores(
        {
            name: ScoreReport(facts, tuple(done[name][sample.name] for sample in samples))
            for name, facts in protocols.items()
        }
    )
    if benchmark.folder is not None:
        write_whole(benchmark.folder / "eval.json", scores.text().encode())
    return scores


def fill_in(
    done: Done,
    chosen: Sequence[Method],
    samples: Sequence[Sample],
    benchmark: Benchmark,
    *,
    console: Console,
    journal: ScoreFile | None,
) -> None:
    """Adds the missing scores to `done`; every pair is read once for all methods."""
    worst_pairs = WorstPairs(benchmark.folder, benchmark.worst, done)
    missing = {method.name: to_estimate(samples, done[method.name], warm=method.warm) for method in chosen}
    for sample in console.follow(samples, total=len(samples), unit="pair"):
        estimating = [method for method in chosen if sample.name in missing[method.name]]
        if not estimating:
            continue
        item = datasets.read(sample, count_invalid=benchmark.count_invalid)
        for method in estimating:
            flow = method.estimate(item.first, item.second, continues=sample.continues)
            if sample.name in done[method.name]:
                continue
            result = score(item, flow)
            worst_pairs.offer(method.name, item, flow, result)
            done[method.name][sample.name] = result
            if journal:
                journal.add(method.name, result)


def to_estimate(samples: Iterable[Sample], done: Collection[str], *, warm: bool) -> set[str]:
    """The names of the samples without a score; with warm start, also of all samples before them in their sequences."""
    names: set[str] = set()
    needed = False
    for sample in reversed(list(samples)):
        if needed or sample.name not in done:
            names.add(sample.name)
            needed = warm and sample.continues
    return names
