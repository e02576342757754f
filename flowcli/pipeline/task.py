"""A request with all that follows from it before anything is computed: outputs, weights, encoding, and its job."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from flowcli.flow.outputs import choose, journal_folder, plan_outputs, report_path
from flowcli.media.sources import check_name
from flowcli.model.weights import find
from flowcli.pipeline.request import PATH, WORK, Request
from flowcli.pipeline.settings import direction_of, encoding_of
from flowcli.system.console import Result
from flowcli.system.fingerprint import fingerprint
from flowcli.system.json_text import Json
from flowcli.system.options import marked
from flowcli.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from flowcli.flow.outputs import Output
    from flowcli.media.encoding import Encoding
    from flowcli.model.weights import Weights


@dataclass(frozen=True)
class Task:
    """The flow of one input: what was requested, what it writes, and with which weights.

    `kept` is what flowcli keeps for itself besides the outputs that were asked for.
    """

    request: Request
    outputs: tuple[Output, ...]
    weights: Weights
    encoding: Encoding
    kept: tuple[Output, ...] = ()

    @classmethod
    def of(cls, request: Request, *kept: Output, video: bool = True) -> Task:
        """What a request comes to for a video, or for two images; raises what is wrong with it. Nothing is touched."""
        sinks = choose(request.save)
        for path in request.inputs:
            check_name(path)
        encoding = encoding_of(request)
        outputs = plan_outputs(
            sinks,
            request.inputs[0],
            video=video,
            output=request.output,
            name=request.name,
            direction=direction_of(request.direction, sinks),
            containers=encoding.containers,
        )
        return cls(request, tuple(outputs), find(request.weights), encoding, kept)

    @property
    def all_outputs(self) -> tuple[Output, ...]:
        """Everything that is written while it runs."""
        return self.outputs + self.kept

    @property
    def sinks(self) -> tuple[str, ...]:
        """The names of all that is written."""
        return tuple(output.name for output in self.all_outputs)

    @property
    def paths(self) -> tuple[Path, ...]:
        """Where the outputs go that were asked for, each once."""
        return tuple(dict.fromkeys(output.path for output in self.outputs))

    @property
    def path(self) -> Path:
        """The input."""
        return self.request.inputs[0]

    @cached_property
    def job(self) -> dict[str, Any]:
        """What is to be computed, as JSON has it, to compare it with what was; reads the whole input.

        Options as spelled, without those that say where and how to work; hashes of inputs and weights; the versions
        that compute.
        """
        left_out = marked(Request, PATH, WORK)
        job = {
            **{name: value for name, value in asdict(self.request).items() if name not in left_out},
            "outputs": [output.path.name for output in self.outputs],
            "input": [fingerprint(path) for path in self.request.inputs],
            "weights": self.weights.sha256,
            "versions": {"flowcli": __version__, "torch": version("torch")},
        }
        content: dict[str, Any] = json.loads(json.dumps(job))
        return content

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
        if not self.report.exists() or not all(output.path.exists() for output in self.outputs):
            return None
        try:
            report = json.loads(self.report.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if not isinstance(report, dict) or report.get("job") != self.job:
            return None
        return Result(tuple(output.path for output in self.outputs), "finished before: nothing to do", Json(report))
