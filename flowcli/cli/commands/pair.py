"""flowcli pair: the flow between two images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flowcli.cli.loading import loading
from flowcli.cli.options import outputs, takes
from flowcli.pipeline.request import VIDEO, Request
from flowcli.system import options as shared

EPILOG = outputs(video=False)


@takes(Request, without=shared.marked(Request, VIDEO), defaults={"save": "png"})
def run(
    first: Annotated[Path, typer.Argument(metavar="FIRST", help="The first image.")],
    second: Annotated[Path, typer.Argument(metavar="SECOND", help="The second image, of the same size.")],
    options: dict[str, Any],
    dry_run: shared.DryRun = False,
    json: shared.Json = False,
    quiet: shared.Quiet = False,
    verbose: shared.Verbose = False,
    log_file: shared.LogFile = None,
) -> None:
    """Flow from one image to another of the same size.

    Flow is the displacement from FIRST to SECOND in pixels, x to the right and y down, on FIRST's grid.

    Example: flowcli pair a.png b.png --save png,flo,warp -o out
    """
    from flowcli.system.console import Console

    console = Console(quiet=quiet, verbose=verbose, json=json, log_file=log_file)
    # Planned as one pair, which all cores of a CPU work on.
    request = Request(inputs=(first, second), batch="1", **options)
    with loading(first, second, quiet=console.quiet):
        from flowcli.pipeline.outputs import refuse_early

        refuse_early(request, video=False)
        from flowcli.pipeline.pair import estimate_pair

    if dry_run:
        from flowcli.pipeline.dry_run import plan_pair

        console.facts(plan_pair(request))
        return
    console.conclude(estimate_pair(request, console))
