"""flowcli doctor: what this machine has, what is wrong, and what mends it."""

from __future__ import annotations

from flowcli.system import options as shared


def run(json: shared.Json = False) -> None:
    """What this machine has: device, precision, codecs, weights, memory and the frames that fit into it.

    What is wrong is listed last, each with the command that mends it.

    Example: flowcli doctor
    """
    from flowcli.cli.doctor import check_up
    from flowcli.system.console import Console

    Console(json=json).facts(check_up())
