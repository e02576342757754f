"""flowcli track: points followed through a video along its flow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flowcli.cli.options import takes
from flowcli.pipeline.request import Request
from flowcli.system import options as shared

TAKEN = (
    *("output", "skip", "start", "end", "max_frames", "fps", "video_stream", "levels", "weights", "quality"),
    *("iterations", "tolerance", "refine", "occlusion_relative", "occlusion_absolute", "device", "precision"),
    *("memory", "max_side", "scale", "overwrite"),
)


@takes(Request, only=TAKEN)
def run(
    input: Annotated[
        Path, typer.Argument(metavar="VIDEO", help="A video, a folder of images, or a pattern in quotes.")
    ],
    points: Annotated[
        str | None,
        typer.Option(
            metavar="LIST|FILE",
            help="Points of the first frame in px: 'x,y;x,y', or a file with one on each line. Default: a grid.",
        ),
    ] = None,
    grid: Annotated[
        float | None, typer.Option(metavar="PX", help="Spacing of the grid. Default: about 300 points.", min=1)
    ] = None,
    save: Annotated[str, typer.Option(metavar="LIST", help="What to write: csv, json, video.")] = "csv,video",
    *,
    options: dict[str, Any],
    quiet: shared.Quiet = False,
) -> None:
    """Follow points through a video along its flow, until they leave the frame, are not confirmed, or reach a cut.

    Writes VIDEO_tracks.csv with a row for each point of each frame, and VIDEO_tracks.mp4 that shows them. A point is
    not confirmed where forward and backward flow disagree: it is hidden, or the flow is wrong.

    Example: flowcli track in.mp4 --points '320,180;100,60' --save csv,json,video

    Example: flowcli track in.mp4 --points points.csv
    """
    from flowcli.pipeline.track import track
    from flowcli.system.console import Console

    request = Request(inputs=(input,), save=save, direction="both", **options)
    console = Console(quiet=quiet)
    console.conclude(track(request, console, points=points, spacing=grid))
