"""flowcli video: the flow of a video."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flowcli.cli import options

EPILOG = options.outputs()


def run(
    input: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT",
            help="A video, a folder of images, a pattern in quotes ('%04d.png', '*.png'), or - for stdin.",
        ),
    ],
    output: options.Output = None,
    save: options.Save = "video",
    skip: Annotated[
        int, typer.Option(metavar="N", help="Flow from frame t to frame t+N; the next pair starts there.", min=1)
    ] = 1,
    sliding: Annotated[
        bool, typer.Option("--sliding", metavar="", help="Start a pair at every frame, not only at every N-th.")
    ] = False,
    start: options.Start = None,
    end: options.End = None,
    max_frames: options.MaxFrames = None,
    fps: options.Fps = None,
    deinterlace: options.Deinterlace = False,
    weights: options.Weights = "raft-small",
    iterations: options.IterationsOrAuto = "auto",
    tolerance: options.Tolerance = 0.1,
    direction: options.Direction = "forward",
    occlusion_relative: options.OcclusionRelative = 0.01,
    occlusion_absolute: options.OcclusionAbsolute = 0.5,
    warm_start: Annotated[
        bool,
        typer.Option(
            "--warm-start/--no-warm-start", metavar="", help="Start each pair from the flow of the pair before."
        ),
    ] = False,
    batch: Annotated[
        str, typer.Option(metavar="N", help="Pairs computed at once; auto: one on a CPU, what fits elsewhere.")
    ] = "auto",
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    memory: options.Memory = None,
    max_side: options.MaxSide = None,
    scale: options.Scale = 1.0,
    max_flow: options.MaxFlow = "auto",
    scale_mode: options.ScaleMode = "video",
    gamma: options.Gamma = 1.0,
    background: options.Background = "white",
    legend: options.Legend = False,
    arrow_grid: options.ArrowGrid = None,
    arrow_min: options.ArrowMin = 0.5,
    codec: options.Codec = "h264",
    crf: options.Crf = None,
    preset: options.Preset = None,
    pixel_format: options.PixelFormat = None,
    audio: options.Audio = False,
    half: options.Half = False,
    overwrite: options.Overwrite = False,
    resume: Annotated[
        bool, typer.Option("--resume", metavar="", help="Go on with a run of this very command that was cut off.")
    ] = False,
    segment: Annotated[
        int, typer.Option(metavar="N", help="Pairs after which what is done is safe from being cut off.", min=1)
    ] = 64,
    dry_run: options.DryRun = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    log_file: options.LogFile = None,
) -> None:
    """Flow of a video: from every frame to the next, or to the N-th after it.

    Of n frames, --skip N gives (n-1)/N flows, and n-N with --sliding. Flow is the displacement in pixels, x to the
    right and y down, on the grid of a pair's first frame.

    Example: flowcli video in.mp4 --skip 2 --save video,flo -o out
    """
    from flowcli.pipeline.dry_run import rehearse_video
    from flowcli.pipeline.request import Request
    from flowcli.pipeline.video import estimate_video
    from flowcli.system.console import Console

    request = Request(
        inputs=(input,),
        output=output,
        save=save,
        weights=weights,
        iterations=iterations,
        tolerance=tolerance,
        direction=direction,
        occlusion_relative=occlusion_relative,
        occlusion_absolute=occlusion_absolute,
        warm_start=warm_start,
        batch=batch,
        device=device,
        precision=precision,
        memory=memory,
        max_side=max_side,
        scale=scale,
        max_flow=max_flow,
        scale_mode=scale_mode,
        gamma=gamma,
        background=background,
        legend=legend,
        arrow_grid=arrow_grid,
        arrow_min=arrow_min,
        codec=codec,
        crf=crf,
        preset=preset,
        pixel_format=pixel_format,
        audio=audio,
        half=half,
        overwrite=overwrite,
        resume=resume,
        segment=segment,
        skip=skip,
        sliding=sliding,
        start=start,
        end=end,
        max_frames=max_frames,
        fps=fps,
        deinterlace=deinterlace,
    )
    console = Console(quiet=quiet, verbose=verbose, json=json, log_file=log_file)
    if dry_run:
        console.facts(rehearse_video(request))
        return
    console.conclude(estimate_video(request, console))
