"""flowcli pair: the flow between two images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flowcli.cli import options

EPILOG = options.outputs()


def run(
    first: Annotated[Path, typer.Argument(metavar="FIRST", help="The image that flow starts from.")],
    second: Annotated[Path, typer.Argument(metavar="SECOND", help="The image it leads to, of the same size.")],
    output: options.Output = None,
    save: options.Save = "png",
    weights: options.Weights = "raft-small",
    iterations: options.IterationsOrAuto = "12",
    tolerance: options.Tolerance = 0.1,
    direction: options.Direction = "forward",
    occlusion_relative: options.OcclusionRelative = 0.01,
    occlusion_absolute: options.OcclusionAbsolute = 0.5,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    memory: options.Memory = None,
    max_side: options.MaxSide = None,
    scale: options.Scale = 1.0,
    max_flow: options.MaxFlow = "auto",
    gamma: options.Gamma = 1.0,
    background: options.Background = "white",
    legend: options.Legend = False,
    arrow_grid: options.ArrowGrid = None,
    arrow_min: options.ArrowMin = 0.5,
    half: options.Half = False,
    overwrite: options.Overwrite = False,
    dry_run: options.DryRun = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    log_file: options.LogFile = None,
) -> None:
    """Flow from one image to another of the same size.

    Flow is the displacement from FIRST to SECOND in pixels, x to the right and y down, on FIRST's grid.

    Example: flowcli pair a.png b.png --save png,flo,warp -o out
    """
    from flowcli.pipeline.dry_run import rehearse_pair
    from flowcli.pipeline.pair import estimate_pair
    from flowcli.pipeline.request import Request
    from flowcli.system.console import Console

    request = Request(
        inputs=(first, second),
        output=output,
        save=save,
        weights=weights,
        iterations=iterations,
        tolerance=tolerance,
        direction=direction,
        occlusion_relative=occlusion_relative,
        occlusion_absolute=occlusion_absolute,
        device=device,
        precision=precision,
        memory=memory,
        max_side=max_side,
        scale=scale,
        max_flow=max_flow,
        gamma=gamma,
        background=background,
        legend=legend,
        arrow_grid=arrow_grid,
        arrow_min=arrow_min,
        half=half,
        overwrite=overwrite,
    )
    console = Console(quiet=quiet, verbose=verbose, json=json, log_file=log_file)
    if dry_run:
        console.facts(rehearse_pair(request))
        return
    console.conclude(estimate_pair(request, console))
