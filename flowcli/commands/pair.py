"""flowcli pair: the flow between two images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flowcli.commands import _options

EPILOG = _options.outputs()


def run(
    first: Annotated[Path, typer.Argument(metavar="FIRST", help="The image that flow starts from.")],
    second: Annotated[Path, typer.Argument(metavar="SECOND", help="The image it leads to, of the same size.")],
    output: _options.Output = None,
    save: _options.Save = "png",
    weights: _options.Weights = "raft-small",
    iterations: _options.IterationsOrAuto = "12",
    tolerance: _options.Tolerance = 0.1,
    direction: _options.Direction = "forward",
    occlusion_relative: _options.OcclusionRelative = 0.01,
    occlusion_absolute: _options.OcclusionAbsolute = 0.5,
    device: _options.Device = "auto",
    precision: _options.Precision = "auto",
    memory: _options.Memory = None,
    max_side: _options.MaxSide = None,
    scale: _options.Scale = 1.0,
    max_flow: _options.MaxFlow = "auto",
    gamma: _options.Gamma = 1.0,
    background: _options.Background = "white",
    legend: _options.Legend = False,
    arrow_grid: _options.ArrowGrid = None,
    arrow_min: _options.ArrowMin = 0.5,
    half: _options.Half = False,
    overwrite: _options.Overwrite = False,
    dry_run: _options.DryRun = False,
    json: _options.Json = False,
    quiet: _options.Quiet = False,
    verbose: _options.Verbose = False,
    log_file: _options.LogFile = None,
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
