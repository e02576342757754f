"""flowcli inspect: what RAFT saw."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from flowcli.cli.options import takes
from flowcli.inspection.request import InspectRequest
from flowcli.system import options as shared


@takes(InspectRequest)
def run(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT...", help="Two images, or a video or image folder, or demo: the turning fan."),
    ],
    at: Annotated[
        list[str] | None,
        typer.Option(metavar="X,Y", help="A pixel of the first frame to look at; repeat it for several."),
    ] = None,
    *,
    options: dict[str, Any],
    json: shared.Json = False,
    quiet: shared.Quiet = False,
) -> None:
    """See what RAFT saw, at every step, for any pixel.

    Writes NAME_inspect/: explorer.html to look around in, inspect.json with all the numbers, and pictures of features,
    correlation, lookups, motion features, upsampling and convergence. README.md in it says what each of them shows, and
    what every key of inspect.json means. Pixels are x,y in the source.

    Example: flowcli inspect a.png b.png --at 320,200 --auto 3
    """
    from flowcli.inspection.run import inspect
    from flowcli.system.console import Console

    request = InspectRequest(tuple(inputs), tuple(at or ()), **options)
    console = Console(quiet=quiet, json=json)
    console.conclude(inspect(request, console))
