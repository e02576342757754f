"""flowcli video: the flow of a video."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flowcli.cli.loading import loading
from flowcli.cli.options import outputs, takes
from flowcli.pipeline.request import Request
from flowcli.system import options as shared

EPILOG = outputs()


@takes(Request, without=("split",))
def run(
    input: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT",
            help="A video, image folder, quoted pattern, or - for stdin.",
        ),
    ],
    options: dict[str, Any],
    dry_run: shared.DryRun = False,
    json: shared.Json = False,
    quiet: shared.Quiet = False,
    verbose: shared.Verbose = False,
    log_file: shared.LogFile = None,
) -> None:
    """Flow of a video, from every frame to the next, or with --skip N to the N-th.

    Flow is the displacement in px, x right and y down, on the first frame's grid.

    Example: flowcli video in.mp4 --skip 2 --save video,flo -o out
    """
    from flowcli.system.console import Console

    console = Console(quiet=quiet, verbose=verbose, json=json, log_file=log_file)
    request = Request(inputs=(input,), **options)
    with loading(input, quiet=console.quiet):
        from flowcli.pipeline.outputs import refuse_early

        refuse_early(request, video=True)
        from flowcli.pipeline.dry_run import plan_video
        from flowcli.pipeline.task import Task
        from flowcli.pipeline.video import estimate_video

    if dry_run:
        console.facts(plan_video(request))
        return
    console.conclude(estimate_video(Task.of(request), console))
