"""flowcli track: points carried along the flow of a video."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flowcli.cli import options


def run(
    input: Annotated[
        Path, typer.Argument(metavar="VIDEO", help="A video, a folder of images, or a pattern in quotes.")
    ],
    points: Annotated[
        str | None, typer.Option(metavar="LIST", help="Points of the first frame in px: 'x,y;x,y'. Default: a grid.")
    ] = None,
    grid: Annotated[
        float | None, typer.Option(metavar="PX", help="Spacing of the grid. Default: about 300 points.", min=1)
    ] = None,
    output: options.Output = None,
    save: Annotated[str, typer.Option(metavar="LIST", help="What to write: csv, json, video.")] = "csv,video",
    skip: Annotated[int, typer.Option(metavar="N", help="Follow from frame t to frame t+N.", min=1)] = 1,
    start: options.Start = None,
    end: options.End = None,
    max_frames: options.MaxFrames = None,
    fps: options.Fps = None,
    weights: options.Weights = "raft-small",
    iterations: options.IterationsOrAuto = "12",
    occlusion_relative: options.OcclusionRelative = 0.01,
    occlusion_absolute: options.OcclusionAbsolute = 0.5,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    memory: options.Memory = None,
    max_side: options.MaxSide = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> None:
    """Follow points through a video along its flow, until they are hidden, leave, or a cut comes.

    Writes VIDEO_tracks.csv with a row for each point of each frame, and VIDEO_tracks.mp4 that shows them. A point is
    hidden where forward and backward flow disagree about it.

    Example: flowcli track in.mp4 --points '320,180;100,60' --save csv,json,video
    """
    from flowcli.pipeline.request import Request
    from flowcli.pipeline.track import track
    from flowcli.system.console import Console

    request = Request(
        inputs=(input,),
        output=output,
        save=save,
        weights=weights,
        iterations=iterations,
        direction="both",
        occlusion_relative=occlusion_relative,
        occlusion_absolute=occlusion_absolute,
        device=device,
        precision=precision,
        memory=memory,
        max_side=max_side,
        overwrite=overwrite,
        skip=skip,
        start=start,
        end=end,
        max_frames=max_frames,
        fps=fps,
    )
    console = Console(quiet=quiet)
    console.conclude(track(request, console, points=points, spacing=grid))
