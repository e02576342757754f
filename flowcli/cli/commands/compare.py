"""flowcli compare: two flows of one clip, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flowcli.cli import options

EPILOG = """
Sides, what A and B may be
raft-small          weights, by name or path
raft-small,iters=4  with settings, commas between: iters, tolerance,
                    precision, max-side, scale, warm-start=yes
out/in_flow         a folder of flow, as `flowcli video --save flo` writes it
"""


def run(
    input: Annotated[
        Path, typer.Argument(metavar="VIDEO", help="A video, a folder of images, or a pattern in quotes.")
    ],
    first: Annotated[str, typer.Argument(metavar="A", help="One side: weights, perhaps with settings, or a folder.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The other side.")],
    output: options.Output = None,
    skip: Annotated[int, typer.Option(metavar="N", help="Flow from frame t to frame t+N.", min=1)] = 1,
    start: options.Start = None,
    end: options.End = None,
    max_frames: options.MaxFrames = None,
    fps: options.Fps = None,
    iterations: options.IterationsOrAuto = "12",
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    memory: options.Memory = None,
    max_side: options.MaxSide = None,
    max_flow: options.MaxFlow = "auto",
    overwrite: options.Overwrite = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Compare two weights, two settings, or two folders of flow on one clip.

    Writes VIDEO_compare.mp4, which shows the frame, both flows and where they differ, and VIDEO_compare.json with
    statistics of every pair.

    Example: flowcli compare in.mp4 raft-small raft_large_C_T_SKHT_V2

    Example: flowcli compare in.mp4 raft-small,iters=4 raft-small,iters=20 --max-frames 50
    """
    from flowcli.evaluation.compare import compare_sides
    from flowcli.pipeline.request import Request
    from flowcli.system.console import Console

    request = Request(
        inputs=(input,),
        output=output,
        save="",
        iterations=iterations,
        device=device,
        precision=precision,
        memory=memory,
        max_side=max_side,
        max_flow=max_flow,
        overwrite=overwrite,
        skip=skip,
        start=start,
        end=end,
        max_frames=max_frames,
        fps=fps,
    )
    console = Console(quiet=quiet, json=json)
    console.conclude(compare_sides(request, (first, second), console))
