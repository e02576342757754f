"""Writes flow of a benchmark's test pairs in the files that its server accepts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowcli.errors import UsageError
from flowcli.evaluation import datasets
from flowcli.evaluation.benchmark import to_estimate
from flowcli.evaluation.datasets._reading import read_pair
from flowcli.evaluation.methods import methods
from flowcli.flow.formats import writer
from flowcli.system.signals import Stop, StoppedError

if TYPE_CHECKING:
    from pathlib import Path

    from flowcli.evaluation.methods import MethodOptions
    from flowcli.system.console import Console

FORMATS = {".flo": "flo", ".png": "kitti"}


@dataclass(frozen=True)
class Submission:
    """The settings of one run of `flowcli eval --submit`; the flow files are written below `folder`."""

    dataset: str
    root: Path
    options: MethodOptions
    folder: Path
    resume: bool = False
    overwrite: bool = False


def submit(submission: Submission, console: Console) -> str:
    """Writes a flow file for every test pair, complete as soon as it appears; returns a one-line summary.

    Raises UsageError for a dataset without submissions, several methods or existing files, StoppedError after a signal.
    """
    reader = datasets.reader(submission.dataset)
    if not hasattr(reader, "submission"):
        takers = [name for name in datasets.names() if hasattr(datasets.reader(name), "submission")]
        raise UsageError(f"{submission.dataset} takes no submissions", hint=f"these do: {', '.join(takers)}")
    samples = datasets.samples(submission.dataset, submission.root, "test")
    chosen = methods(submission.options)
    if len(chosen) != 1:
        raise UsageError("a submission holds the flow of one method", hint="give one --weights and no --baseline")
    files = {sample.name: submission.folder / reader.submission(sample) for sample in samples}
    there = {name for name, path in files.items() if path.exists()}
    if there and not submission.resume and not submission.overwrite:
        hint = "--resume adds the missing files, -y overwrites all"
        raise UsageError(f"{files[min(there)]} exists already", hint=hint)
    done = there if submission.resume else set()
    missing = to_estimate(samples, done, warm=chosen[0].warm)
    try:
        for sample in console.follow(samples, total=len(samples), unit="pair"):
            if sample.name not in missing:
                continue
            flow = chosen[0].estimate(*read_pair(sample), continues=sample.continues)
            path = files[sample.name]
            writer(FORMATS[path.suffix])(path, flow)
    except Stop as stop:
        raise StoppedError(stop.number, hint="--resume continues from here") from stop
    return f"{len(samples)} flows of {chosen[0].name} in {submission.folder}"
