"""flowcli doctor: a check of this machine, with the commands that fix problems."""

from __future__ import annotations

from flowcli.system import options as shared


def run(json: shared.Json = False) -> None:
    """Check this machine: device, precision, codecs, weights, memory and the frame sizes that fit into it.

    Problems are listed last, each with the command that fixes it.

    Example: flowcli doctor
    """
    from flowcli.cli.doctor import diagnose
    from flowcli.system.console import Console

    Console(json=json).facts(diagnose())
