"""flowcli demo: the main job, on a clip that needs no file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flowcli.cli.options import takes
from flowcli.pipeline.request import Request


@takes(Request, only=("weights", "iterations", "device", "precision"))
def run(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="PATH", help="Folder to write to.")] = Path(
        "flowcli-demo"
    ),
    *,
    options: dict[str, Any],
) -> None:
    """See it work: the flow of a turning fan that flowcli paints itself, scored against the exact truth.

    Writes the flow as a video, beside its frames as another, and a picture that compares it with the truth and with
    OpenCV's DIS. What an earlier demo wrote there is replaced.

    Example: flowcli demo
    """
    from flowcli.evaluation.demo import demonstrate
    from flowcli.system.console import Console

    request = Request((Path("fan"),), output, "video,side", legend=True, overwrite=True, **options)
    console = Console()
    console.say("a fan turns before a drifting wall, and its exact flow is known")
    demonstration = demonstrate(request, console)
    console.conclude(demonstration.result)
    console.show(demonstration.picture)
    console.say(f"mean error {demonstration.ours:.2f} px, OpenCV DIS {demonstration.dis:.2f} px")
    console.say("next: flowcli video YOUR.mp4, or flowcli video --help")
