"""A request with all that follows from it before anything is computed: outputs, weights, and what a job it is."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from flowcli.flow.outputs import choose, journal_folder, plan_outputs, report_path
from flowcli.model.weights import find
from flowcli.pipeline.request import PATH, WORK, Request
from flowcli.pipeline.settings import direction_of, encoding_of
from flowcli.system.console import Result
from flowcli.system.fingerprint import fingerprint
from flowcli.system.options import marked
from flowcli.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from flowcli.flow.outputs import Output
    from flowcli.model.weights import Weights


@dataclass(frozen=True)
class Task:
    """The flow of one video: what was asked for, what it writes, and with which weights.

    `kept` is what flowcli keeps for itself besides the outputs that were asked for.
    """

    request: Request
    outputs: tuple[Output, ...]
    weights: Weights
    kept: tuple[Output, ...] = ()

    @classmethod
    def of(cls, request: Request, *kept: Output) -> Task:
        """Raises what is wrong with the request, before its input is opened."""
        return cls(request, tuple(planned_outputs(request, video=True)), find(request.weights), kept)

    @property
    def all_outputs(self) -> tuple[Output, ...]:
        """Everything that is written while it runs."""
        return self.outputs + self.kept

    @property
    def path(self) -> Path:
        """The input."""
        return self.request.inputs[0]

    @cached_property
    def job(self) -> dict[str, Any]:
        """What is to be done, to compare it with what was; reads the whole input."""
        return job_of(self.request, self.outputs, self.weights)

    @property
    def report(self) -> Path:
        """Where the report goes."""
        return report_path(self.outputs, self.path, name=self.request.name)

    @property
    def journal(self) -> Path:
        """Where the segments are kept while it runs."""
        return journal_folder(self.report)

    def finished(self) -> Result | None:
        """What an earlier run of this very job came to, where it was finished and its outputs are there."""
        if not self.report.exists() or not (text := report_of(self.job, self.outputs, self.report)):
            return None
        return Result(tuple(output.path for output in self.outputs), "finished before: nothing to do", text)


def planned_outputs(request: Request, *, video: bool) -> list[Output]:
    """What the run writes, under its final names; nothing is touched."""
    sinks = choose(request.save)
    direction = direction_of(request.direction, sinks)
    return plan_outputs(
        sinks,
        request.inputs[0],
        video=video,
        output=request.output,
        name=request.name,
        direction=direction,
        containers=encoding_of(request).containers,
    )


def job_of(request: Request, outputs: Sequence[Output], weights: Weights) -> dict[str, Any]:
    """The job as JSON has it: options as spelled, hashes of inputs and weights, and the versions that compute."""
    options = {name: value for name, value in asdict(request).items() if name not in marked(Request, PATH, WORK)}
    job = {
        **options,
        "outputs": [output.path.name for output in outputs],
        "input": [fingerprint(path) for path in request.inputs],
        "weights": weights.sha256,
        "versions": {"flowcli": __version__, "torch": version("torch")},
    }
    content: dict[str, Any] = json.loads(json.dumps(job))
    return content


def report_of(job: Mapping[str, Any], outputs: Sequence[Output], path: Path) -> str | None:
    """The report at `path` of an earlier run that finished this very job; None where there is none."""
    if not path.exists() or not all(output.path.exists() for output in outputs):
        return None
    try:
        text = path.read_text(encoding="utf-8")
        report = json.loads(text)
    except (OSError, ValueError):
        return None
    return text if isinstance(report, dict) and report.get("job") == job else None
