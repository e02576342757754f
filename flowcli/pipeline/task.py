"""A validated request: its outputs, weights, encoding and job."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowcli.flow.estimate import Stamp
from flowcli.flow.outputs import journal_folder, missing_files, report_path
from flowcli.media.content import Content, content_of
from flowcli.model.quality import is_refiner_file
from flowcli.model.weights import find
from flowcli.pipeline.outputs import encoding_of, outputs_of
from flowcli.pipeline.request import PATH, WORK, Request
from flowcli.system.console import Result
from flowcli.system.json_text import Json
from flowcli.system.options import marked
from flowcli.system.versions import version_of
from flowcli.version import __version__

if TYPE_CHECKING:
    from flowcli.flow.outputs import Output
    from flowcli.media.encoding import Encoding
    from flowcli.model.weights import Weights


@dataclass(frozen=True)
class Task:
    """The request for one input, with the outputs to write and the weights to use.

    `internal` outputs are written for flowcli itself, such as the preview of a clip in a batch.
    """

    request: Request
    outputs: tuple[Output, ...]
    weights: Weights
    encoding: Encoding
    content: Content
    internal: tuple[Output, ...] = ()

    @classmethod
    def of(cls, request: Request, *internal: Output, video: bool = True, weights: Weights | None = None) -> Task:
        """The task of a request for a video, or for two images; `weights` are those that it names, if already found.

        Changes no file. Raises UsageError for invalid options and paths, and the errors of finding weights.
        """
        outputs, encoding = outputs_of(request, video=video), encoding_of(request)
        found = weights or find(request.weights)
        return cls(request, tuple(outputs), found, encoding, Content(request.inputs), internal)

    def of_images(self, names: tuple[str, ...]) -> Task:
        """The same task for an input whose images have these names, which outputs may be called after."""
        if self.request.names != "source":
            return self
        return replace(self, outputs=tuple(replace(output, images=names) for output in self.outputs))

    @property
    def all_outputs(self) -> tuple[Output, ...]:
        """The requested and the internal outputs."""
        return self.outputs + self.internal

    @property
    def saved(self) -> tuple[str, ...]:
        """The names of all that is written."""
        return tuple(output.name for output in self.all_outputs)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The paths of the requested outputs, each once."""
        return tuple(dict.fromkeys(output.path for output in self.outputs))

    @property
    def path(self) -> Path:
        """The input, the first one of a pair."""
        return self.request.inputs[0]

    @cached_property
    def job(self) -> dict[str, Any]:
        """The identity of the computation, as JSON values: a run is resumed only for an equal job. Reads whole inputs.

        It holds the options except those marked PATH or WORK, the names of the outputs, hashes of inputs, weights and
        refiner, and the versions of flowcli and torch.
        """
        job = {
            **options_without(self.request, PATH, WORK),
            "outputs": [output.path.name for output in self.outputs],
            "input": self.content.hashes,
            "weights": self.weights.sha256,
            "refiner": refiner_content(self.request.refine),
            "versions": {"flowcli": __version__, "torch": version_of("torch")},
        }
        content: dict[str, Any] = json.loads(json.dumps(job))
        return content

    @property
    def report(self) -> Path:
        """The path of the report."""
        return report_path(self.outputs, self.path, name=self.request.name)

    @property
    def journal(self) -> Path:
        """The folder of the journal while the task runs."""
        return journal_folder(self.report)

    def finished(self) -> Result | None:
        """The result of an earlier run of the same job; None unless its report and all outputs exist."""
        job = self.job  # before the input is opened: what is written to it later belongs to another run
        if not self.report.exists() or not all(output.path.exists() for output in self.outputs):
            return None
        try:
            report = json.loads(self.report.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if not isinstance(report, dict) or report.get("job") != job:
            return None
        if missing_files(self.outputs, [Stamp.from_record(record) for record in report["pairs"]]):
            return None
        return Result(tuple(output.path for output in self.outputs), "already finished: nothing to do", Json(report))


def options_without(request: Request, *marks: str) -> dict[str, Any]:
    """The options except those with these marks, and except the path of a refiner, which its content identifies."""
    left_out = marked(Request, *marks) | ({"refine"} if is_refiner_file(request.refine) else set())
    return {name: value for name, value in asdict(request).items() if name not in left_out}


def refiner_content(refine: str) -> str | None:
    """A hash of the file of a refiner; None if `refine` names a kind of refinement."""
    return content_of(Path(refine)) if is_refiner_file(refine) else None
