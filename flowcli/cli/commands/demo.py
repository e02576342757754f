"""flowcli demo: the flow of a built-in clip, scored against its ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flowcli.cli.loading import loading
from flowcli.cli.options import takes
from flowcli.pipeline.request import Request


@takes(Request, only=("weights", "quality", "iterations", "refine", "device", "precision"))
def run(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="PATH", help="Folder to write to.")] = Path(
        "flowcli-demo"
    ),
    *,
    options: dict[str, Any],
) -> None:
    """Try flowcli: the flow of a turning fan that flowcli draws itself, scored against the ground truth.

    Writes a video of the flow, a video of frames and flow side by side, and a picture that compares the flow with the
    ground truth and with OpenCV's DIS; replaces those of an earlier demo. Unless there are files of these names, the
    clip itself is in.mp4, and its first frames are a.png and b.png, for the examples of the other commands.

    Example: flowcli demo
    """
    from flowcli.system.console import Console

    console = Console()
    with loading(quiet=console.quiet):
        from flowcli.evaluation.demo import demonstrate

    request = Request((Path("fan"),), output, "video,side", legend=True, overwrite=True, **options)
    console.say("a fan turns in front of a drifting wall; the exact flow is known")
    demonstration = demonstrate(request, console)
    console.conclude(demonstration.result)
    console.say(f"mean error {demonstration.ours:.2f} px, OpenCV DIS {demonstration.dis:.2f} px")
    console.say(f"play {demonstration.result.outputs[1]}; next: flowcli video YOUR.mp4, or flowcli inspect demo")
