"""The options of `flowcli video` as the fields of a dataclass; other commands take some of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from flowcli.system import options
from flowcli.system.options import COMPUTING, DRAWING, ENCODING, FRAMES, RUNS

PATH = "a path, which may differ between machines, so that jobs do not compare it"
WORK = "affects how a run works, not what it computes"
BATCH = "the same for all clips of a batch"
VIDEO = "of a video only"


@dataclass(frozen=True)
class Request:
    """The options of one run, as spelled on the command line; `name` replaces the input's name in those of outputs."""

    inputs: Annotated[tuple[Path, ...], PATH]
    output: Annotated[options.Output, PATH] = None
    save: Annotated[str, typer.Option(metavar="LIST", help="Outputs, of those below, commas between.")] = "video"
    skip: Annotated[
        int, typer.Option(metavar="N", help="Flow from frame t to t+N; the next starts there.", min=1), VIDEO
    ] = 1
    sliding: Annotated[
        bool, typer.Option("--sliding", metavar="", help="Start a pair at every frame, not every N-th."), VIDEO
    ] = False
    sample_fps: Annotated[
        str | None,
        typer.Option(
            "--sample-fps",
            metavar="N",
            help="Take only N frames per second; --skip counts these.",
            rich_help_panel=FRAMES,
        ),
        VIDEO,
    ] = None
    pad_last: Annotated[
        bool,
        typer.Option(
            "--pad-last",
            metavar="",
            help="Repeat the last flow: n flows of n frames.",
            rich_help_panel=FRAMES,
        ),
        VIDEO,
    ] = False
    reference: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Flow from the N-th frame, from 0, to every other.",
            rich_help_panel=FRAMES,
            min=0,
        ),
        VIDEO,
    ] = None
    start: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Seconds, mm:ss.s, hh:mm:ss, or #N: frame N from 0."),
        VIDEO,
    ] = None
    end: Annotated[str | None, typer.Option(metavar="TIME", help="Stop before this time or frame."), VIDEO] = None
    max_frames: Annotated[
        int | None,
        typer.Option(metavar="N", help="No more frames, counted before --skip.", min=2, rich_help_panel=FRAMES),
        VIDEO,
    ] = None
    fps: Annotated[
        str | None,
        typer.Option(metavar="N", help="Rate of images, such as 30000/1001. Default: 25.", rich_help_panel=FRAMES),
        VIDEO,
    ] = None
    deinterlace: Annotated[
        bool,
        typer.Option("--deinterlace", metavar="", help="Deinterlace interlaced video.", rich_help_panel=FRAMES),
        VIDEO,
    ] = False
    video_stream: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Read this one, from 0. Default: the one marked.", min=0, rich_help_panel=FRAMES
        ),
        VIDEO,
    ] = None
    levels: Annotated[
        str,
        typer.Option(
            metavar="LOW,HIGH",
            help="Black and white of deep frames; auto; full.",
            rich_help_panel=FRAMES,
        ),
    ] = "auto"
    weights: Annotated[options.Weights, PATH] = "raft-small-convex"
    quality: options.Quality = "balanced"
    iterations: Annotated[
        str,
        typer.Option(
            "--iters",
            metavar="N",
            help="Updates; auto: as the pair needs, up to 24.",
            rich_help_panel=COMPUTING,
        ),
    ] = "auto"
    tolerance: Annotated[
        float | None,
        typer.Option(
            metavar="PX",
            help="Where --iters auto stops. Default: 0.8 to 2.0.",
            rich_help_panel=COMPUTING,
        ),
    ] = None
    refine: options.Refine = "auto"
    direction: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="forward, backward, or both.",
            rich_help_panel=COMPUTING,
        ),
    ] = "forward"
    occlusion_relative: Annotated[
        float,
        typer.Option(metavar="X", help="Not confirmed: |f+b|² > X (|f|²+|b|²) ...", rich_help_panel=COMPUTING),
    ] = 0.01
    occlusion_absolute: Annotated[
        float, typer.Option(metavar="X", help="... + X, in px².", rich_help_panel=COMPUTING)
    ] = 0.5
    warm_start: Annotated[
        bool,
        typer.Option(
            "--warm-start/--no-warm-start",
            metavar="",
            help="Start each pair from the previous pair's flow.",
            rich_help_panel=COMPUTING,
        ),
        VIDEO,
    ] = False
    batch: Annotated[
        str,
        typer.Option(metavar="N", help="Pairs computed at once.", rich_help_panel=COMPUTING),
        VIDEO,
    ] = "auto"
    device: Annotated[options.Device, BATCH] = "auto"
    precision: options.Precision = "auto"
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="Limit, such as 800M or 4G. Default: what is free.", rich_help_panel=COMPUTING
        ),
    ] = None
    max_side: Annotated[
        int | None,
        typer.Option(
            metavar="PX",
            help="Compute at no more than this longer side.",
            min=1,
        ),
    ] = None
    scale: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="Compute at this multiple of the size. Default: 1.",
            rich_help_panel=COMPUTING,
        ),
    ] = None
    max_flow: options.MaxFlow = "auto"
    scale_mode: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="One colour scale for the video, or each frame.",
            rich_help_panel=DRAWING,
        ),
        VIDEO,
    ] = "video"
    gamma: options.Gamma = "auto"
    background: options.Background = "white"
    wheel: options.Wheel = "closed"
    stabilise: options.Stabilise = False
    legend: options.Legend = False
    arrow_grid: Annotated[
        int | None,
        typer.Option(
            metavar="PX",
            help="Between arrows. Default: by the picture's size.",
            min=2,
            rich_help_panel=DRAWING,
        ),
    ] = None
    arrow_min: Annotated[
        float, typer.Option(metavar="PX", help="No arrow for motion below this.", min=0, rich_help_panel=DRAWING)
    ] = 0.5
    codec: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="h264, h265, vp9, av1, ffv1, prores.",
            rich_help_panel=ENCODING,
        ),
        VIDEO,
    ] = "h264"
    crf: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Quality of videos: lower is better and larger.",
            rich_help_panel=ENCODING,
        ),
        VIDEO,
    ] = None
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Of the encoder, as it names it: veryfast, slow, 8.",
            rich_help_panel=ENCODING,
        ),
        VIDEO,
    ] = None
    pixel_format: Annotated[
        str | None,
        typer.Option(
            "--pix-fmt",
            metavar="NAME",
            help="Such as yuv444p, for sharper colours.",
            rich_help_panel=ENCODING,
        ),
        VIDEO,
    ] = None
    audio: Annotated[
        bool,
        typer.Option(
            "--audio",
            metavar="",
            help="Copy the audio of the input into videos.",
            rich_help_panel=ENCODING,
        ),
        VIDEO,
    ] = False
    names: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Of files per pair: index, frame, source.",
            rich_help_panel=ENCODING,
        ),
        VIDEO,
    ] = "index"
    half: options.Half = False
    quantised: options.Quantise = False
    bound: options.Bound = 20.0
    y: options.YAxis = "up"
    overwrite: Annotated[options.Overwrite, WORK] = False
    resume: Annotated[
        bool,
        typer.Option("--resume", metavar="", help="Continue an interrupted run of the same command."),
        VIDEO,
        WORK,
    ] = False
    segment: Annotated[
        int,
        typer.Option(metavar="N", help="Pairs kept at once, for --resume.", min=1, rich_help_panel=RUNS),
        VIDEO,
    ] = 64
    split: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Divide longer clips into chunks of N pairs, which start cold, for several workers.",
            min=1,
            rich_help_panel=RUNS,
        ),
        VIDEO,
    ] = None
    name: Annotated[str | None, WORK] = None
