"""flowcli demo: the main job, on a clip that needs no file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flowcli.cli import options


def run(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="PATH", help="Folder to write to.")] = Path(
        "flowcli-demo"
    ),
    weights: options.Weights = "raft-small",
    iterations: options.IterationsOrAuto = "auto",
    device: options.Device = "auto",
    precision: options.Precision = "auto",
) -> None:
    """See it work: the flow of a turning fan that flowcli paints itself, scored against the exact truth.

    Writes the flow as a video, beside its frames as another, and a picture that compares it with the truth and with
    OpenCV's DIS. What an earlier demo wrote there is replaced.

    Example: flowcli demo
    """
    from flowcli.evaluation.demo import demonstrate
    from flowcli.pipeline.request import Request
    from flowcli.system.console import Console

    request = Request(
        inputs=(Path("fan"),),
        output=output,
        save="video,side",
        weights=weights,
        iterations=iterations,
        device=device,
        precision=precision,
        legend=True,
        overwrite=True,
    )
    console = Console()
    console.say("a fan turns before a drifting wall, and its exact flow is known")
    demonstration = demonstrate(request, console)
    console.conclude(demonstration.result)
    console.show(demonstration.picture)
    console.say(f"mean error {demonstration.ours:.2f} px, OpenCV DIS {demonstration.dis:.2f} px")
    console.say("next: flowcli video YOUR.mp4, or flowcli video --help")
