"""flowcli inspect: what RAFT saw."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flowcli.cli import options


def run(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT...", help="Two images, or a video or image folder, or demo: the turning fan."),
    ],
    at: Annotated[
        list[str] | None,
        typer.Option(metavar="X,Y", help="A pixel of the first frame to look at; repeat it for several."),
    ] = None,
    auto: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Choose the first N of: largest, median, smallest motion, most ambiguous correlation. "
            "Default: all four, or none beside --at.",
            min=0,
            max=4,
        ),
    ] = None,
    frame: Annotated[
        int | None, typer.Option(metavar="T", help="Of a video: the first frame, from 0. Default: 0.", min=0)
    ] = None,
    skip: Annotated[
        int | None, typer.Option(metavar="N", help="Of a video: the second is frame T+N. Default: 1.", min=1)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="PATH", help="Folder to write NAME_inspect to. Default: beside the input."
        ),
    ] = None,
    gt: Annotated[
        Path | None, typer.Option(metavar="FILE", help="True flow, .flo or .npz: gives the error at every update.")
    ] = None,
    weights: options.Weights = "raft-small",
    iterations: options.Iterations = 12,
    warm_start: Annotated[
        bool,
        typer.Option("--warm-start", metavar="", help="Of a video: start from the flow of the pair before, T-N to T."),
    ] = False,
    motion_channels: Annotated[
        str, typer.Option(metavar="LIST", help="Motion features to show, such as 3,14; auto: the most active.")
    ] = "auto",
    hidden_channels: Annotated[
        str, typer.Option(metavar="LIST", help="Hidden channels to show; auto: the most active.")
    ] = "auto",
    device: options.Device = "auto",
    precision: options.Precision = "fp32",
    max_flow: options.MaxFlow = "auto",
    overwrite: options.Overwrite = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """See what RAFT saw, at every step, for any pixel.

    Writes NAME_inspect/: explorer.html to look around in, inspect.json with all the numbers, and pictures of features,
    correlation, lookups, motion features, upsampling and convergence. README.md in it says what each of them shows, and
    what every key of inspect.json means. Pixels are x,y in the source.

    Example: flowcli inspect a.png b.png --at 320,200 --auto 3
    """
    from flowcli.inspection.run import Request, inspect
    from flowcli.system.console import Console

    request = Request(
        inputs=tuple(inputs),
        at=tuple(at or ()),
        automatic=auto,
        output=output,
        frame=frame,
        skip=skip,
        truth=gt,
        weights=weights,
        iterations=iterations,
        warm_start=warm_start,
        motion=motion_channels,
        hidden=hidden_channels,
        device=device,
        precision=precision,
        max_flow=max_flow,
        overwrite=overwrite,
    )
    console = Console(quiet=quiet, json=json)
    console.conclude(inspect(request, console))
