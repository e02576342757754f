"""The options of `flowcli video` as the fields of a dataclass; other commands take some of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from flowcli.system import options
from flowcli.system.options import DRAWING, ENCODING

PATH = "a path, which may differ between machines, so that jobs do not compare it"
WORK = "affects how a run works, not what it computes"
BATCH = "the same for all clips of a batch"
VIDEO = "of a video only"


@dataclass(frozen=True)
class Request:
    """The options of one run, as spelled on the command line; `name` replaces the input's name in those of outputs."""

    inputs: Annotated[tuple[Path, ...], PATH]
    output: Annotated[options.Output, PATH] = None
    save: Annotated[
        str, typer.Option(metavar="LIST", help="Outputs to write, of those named below, separated by commas.")
    ] = "video"
    skip: Annotated[
        int, typer.Option(metavar="N", help="Flow from frame t to frame t+N; the next pair starts there.", min=1), VIDEO
    ] = 1
    sliding: Annotated[
        bool, typer.Option("--sliding", metavar="", help="Start a pair at every frame, not only at every N-th."), VIDEO
    ] = False
    sample_fps: Annotated[
        str | None,
        typer.Option(
            "--sample-fps",
            metavar="N",
            help="Take N frames per second of any video, those nearest to every 1/N s, and count --skip in them.",
        ),
        VIDEO,
    ] = None
    pad_last: Annotated[
        bool,
        typer.Option(
            "--pad-last",
            metavar="",
            help="Repeat the last flow for the frames that begin no pair: n flows of n frames.",
        ),
        VIDEO,
    ] = False
    reference: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Flow from the selected frame numbered N, from 0, to every other one; large motion gains from "
            "--warm-start.",
            min=0,
        ),
        VIDEO,
    ] = None
    start: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Start here: seconds, mm:ss.s, hh:mm:ss, or #N, the frame numbered N from 0."
        ),
        VIDEO,
    ] = None
    end: Annotated[str | None, typer.Option(metavar="TIME", help="Stop before this time or frame."), VIDEO] = None
    max_frames: Annotated[
        int | None, typer.Option(metavar="N", help="Use no more than N frames, counted before --skip.", min=2), VIDEO
    ] = None
    fps: Annotated[
        str | None,
        typer.Option(metavar="N", help="Frames per second of images or a raw stream, such as 30000/1001. Default: 25."),
        VIDEO,
    ] = None
    deinterlace: Annotated[
        bool, typer.Option("--deinterlace", metavar="", help="Deinterlace the frames of interlaced video."), VIDEO
    ] = False
    video_stream: Annotated[
        int | None,
        typer.Option(metavar="N", help="Read video stream N, from 0. Default: the one the file marks.", min=0),
        VIDEO,
    ] = None
    levels: Annotated[
        str,
        typer.Option(
            metavar="LOW,HIGH",
            help="How more than 8 bits are shown: auto stretches a small range and tone-maps HDR, full does not; "
            "or the stored values of black and white.",
        ),
    ] = "auto"
    weights: Annotated[options.Weights, PATH] = "raft-small-convex"
    quality: options.Quality = "balanced"
    iterations: Annotated[
        str,
        typer.Option(
            "--iters",
            metavar="N",
            help="Updates of the flow: more are slower and more exact; auto: as many as the pair needs, at most 24.",
        ),
    ] = "auto"
    tolerance: Annotated[
        float | None,
        typer.Option(
            metavar="PX",
            help="With --iters auto: stop when an update moves at most 5 % of the cells further. Default: 0.8.",
        ),
    ] = None
    refine: options.Refine = "auto"
    direction: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="forward, backward, or both, which also gives occlusion (--save occlusion, warp).",
        ),
    ] = "forward"
    occlusion_relative: Annotated[
        float, typer.Option(metavar="X", help="Not confirmed: |f+b|² above X times |f|²+|b|² ...")
    ] = 0.01
    occlusion_absolute: Annotated[float, typer.Option(metavar="X", help="... plus X, in px².")] = 0.5
    warm_start: Annotated[
        bool,
        typer.Option(
            "--warm-start/--no-warm-start",
            metavar="",
            help="Start each pair from the previous pair's flow, carried forward.",
        ),
        VIDEO,
    ] = False
    batch: Annotated[
        str,
        typer.Option(metavar="N", help="Pairs computed at once; auto: one on a CPU, what fits elsewhere."),
        VIDEO,
    ] = "auto"
    device: Annotated[options.Device, BATCH] = "auto"
    precision: options.Precision = "auto"
    memory: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Memory limit, such as 800M or 4G. Default: what is free."),
    ] = None
    max_side: Annotated[
        int | None,
        typer.Option(
            metavar="PX",
            help="Compute at no more than this longer side; the flow is resized to the source's size and px.",
            min=1,
        ),
    ] = None
    scale: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="Compute at this multiple of the size; the flow is resized likewise. Default: 1; small frames are "
            "enlarged.",
        ),
    ] = None
    max_flow: options.MaxFlow = "auto"
    scale_mode: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="video: one colour scale for all pairs; frame: each pair's own.",
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
            help="Distance between arrows. Default: by the picture's size.",
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
            help="How videos are encoded: h264, h265, vp9, av1, ffv1 (lossless) or prores.",
            rich_help_panel=ENCODING,
        ),
        VIDEO,
    ] = "h264"
    crf: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Quality of h264, h265, vp9 and av1: lower is better and larger.",
            rich_help_panel=ENCODING,
        ),
        VIDEO,
    ] = None
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Speed preset of the encoder, by its own names: veryfast, slow, 8 ...",
            rich_help_panel=ENCODING,
        ),
        VIDEO,
    ] = None
    pixel_format: Annotated[
        str | None,
        typer.Option(
            "--pix-fmt",
            metavar="NAME",
            help="Pixel format of videos, such as yuv444p for sharper colours.",
            rich_help_panel=ENCODING,
        ),
        VIDEO,
    ] = None
    audio: Annotated[
        bool,
        typer.Option(
            "--audio",
            metavar="",
            help="Copy the audio of the input into the written videos.",
            rich_help_panel=ENCODING,
        ),
        VIDEO,
    ] = False
    names: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="What files of single flows are called: index, from 0 on; frame, its number in the whole input; or "
            "source, the image's own name, where it has one.",
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
        typer.Option(metavar="N", help="Pairs per segment; finished segments survive an interruption.", min=1),
        VIDEO,
    ] = 64
    split: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Divide longer clips into chunks of N pairs, which start cold, for several workers.",
            min=1,
        ),
        VIDEO,
    ] = None
    name: Annotated[str | None, WORK] = None
