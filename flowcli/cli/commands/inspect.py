"""flowcli inspect: RAFT's intermediate results for one pair."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from flowcli.cli.loading import loading
from flowcli.cli.options import takes
from flowcli.inspection.folder import check_folder
from flowcli.inspection.request import InspectRequest
from flowcli.system import options as shared


@takes(InspectRequest)
def run(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT", help="Two images, a video, an image folder, or demo: the turning fan."),
    ],
    at: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X,Y|FILE",
            help="A pixel of the first frame to inspect, or a file with one on each line; may be repeated.",
        ),
    ] = None,
    *,
    options: dict[str, Any],
    json: shared.Json = False,
    quiet: shared.Quiet = False,
) -> None:
    """Inspect RAFT's intermediate results at every update, for any pixel.

    Writes NAME_inspect/: explorer.html to view interactively, inspect.json with all numbers, and pictures of features,
    correlation, lookups, motion features, upsampling and convergence. README.md in it describes each picture and every
    key of inspect.json. Pixels are x,y in the source.

    Example: flowcli inspect a.png b.png --at 320,200 --auto 3
    """
    from flowcli.system.console import Console

    console = Console(quiet=quiet, json=json)
    request = InspectRequest(tuple(inputs), tuple(at or ()), **options)
    with loading(*request.paths, quiet=console.quiet):
        check_folder(request.folder, overwrite=request.overwrite)
        from flowcli.inspection.run import inspect

    console.conclude(inspect(request, console))
