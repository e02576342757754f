"""flowcli doctor: a check of this machine, with the commands that fix problems."""

from __future__ import annotations

from flowcli.cli.loading import loading
from flowcli.system import options as shared


def run(json: shared.Json = False) -> None:
    """Check this machine: device, precision, codecs, weights, memory and the frame sizes that fit into it.

    Problems are listed last, each with the command that fixes it; the exit code is 6 if a library cannot be loaded.

    Example: flowcli doctor
    """
    from flowcli.cli.doctor import diagnose
    from flowcli.system.console import Console

    with loading():
        diagnosis = diagnose()
    Console(json=json).facts(diagnosis)
    if problem := diagnosis.problem():
        raise problem
