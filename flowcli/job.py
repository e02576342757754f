"""What a run was asked to do, so that a later one can tell whether it is asked the same."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from flowcli.system.fingerprint import fingerprint
from flowcli.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from flowcli.flow.outputs import Output
    from flowcli.model.weights import Weights
    from flowcli.request import Request

# These say where and how to work, not what to do.
_NO_PART = ("inputs", "output", "weights", "overwrite", "resume", "name")


def job_of(request: Request, outputs: Sequence[Output], weights: Weights) -> dict[str, Any]:
    """The job as JSON has it: options as spelled, hashes of inputs and weights, and the versions that compute."""
    options = {name: value for name, value in asdict(request).items() if name not in _NO_PART}
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
