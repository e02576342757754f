"""Options that several commands share, spelled once."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Collection, Mapping
from functools import wraps
from inspect import Signature, signature
from pathlib import Path
from typing import Annotated

import typer

from flowcli.flow.outputs import descriptions

Command = Callable[..., None]

WIDTH = 78
"""Characters of a line on the narrowest usual terminal, less what Typer leaves free at its sides."""


def outputs() -> str:
    """The end of a command's help: every value of --save, with one line about it."""
    return listed("Outputs, the values of --save", descriptions())


def listed(title: str, texts: Mapping[str, str]) -> str:
    """A title, and each name with the line about it."""
    lines = (
        textwrap.fill(text, WIDTH, initial_indent=f"{name:<11}", subsequent_indent=" " * 11)
        for name, text in texts.items()
    )
    return "\n".join([title, *lines])


# Headings of their own in a command's help.
DRAWING = "How flow is drawn"
ENCODING = "How outputs are encoded"

# An empty metavar: Typer would show <bool>, as if a flag took a value.
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="PATH",
        help="Folder to write to, or the file itself if there is just one. Default: beside the input.",
    ),
]
Save = Annotated[str, typer.Option(metavar="LIST", help="What to write: outputs named below, with commas between.")]
Weights = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="Weights by name, or a checkpoint by path: of flowcli, princeton-vl or torchvision."
    ),
]
Iterations = Annotated[
    int, typer.Option("--iters", metavar="N", help="Refinement steps: more are slower and more exact.", min=1)
]
IterationsOrAuto = Annotated[
    str,
    typer.Option(
        "--iters",
        metavar="N",
        help="Refinement steps: more are slower and more exact; auto stops when the flow settles, after 12 at most.",
    ),
]
Tolerance = Annotated[
    float, typer.Option(metavar="PX", help="With --iters auto: stop when a step changes the flow by less than this.")
]
Direction = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="forward, backward, or both, which also tells what is occluded (--save occlusion, warp)."
    ),
]
OcclusionRelative = Annotated[
    float,
    typer.Option(metavar="X", help="Occluded: |f+b|² above X times |f|²+|b|² ..."),
]
OcclusionAbsolute = Annotated[float, typer.Option(metavar="X", help="... plus X, in px².")]
Memory = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="Memory to keep to, such as 800M or 4G. Default: what is free."),
]
MaxSide = Annotated[
    int | None,
    typer.Option(
        metavar="PX", help="Compute no larger than this; the flow comes back at the source's size and in its px.", min=1
    ),
]
Scale = Annotated[float, typer.Option(metavar="X", help="Compute at this share of the size; likewise.")]
Start = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Begin here: seconds, mm:ss.s, hh:mm:ss, or #N, the frame numbered N from 0."),
]
End = Annotated[str | None, typer.Option(metavar="TIME", help="Stop before this time or frame.")]
MaxFrames = Annotated[
    int | None, typer.Option(metavar="N", help="Use no more than N frames, counted before --skip.", min=2)
]
Fps = Annotated[
    str | None,
    typer.Option(metavar="N", help="Frames per second of images or a raw stream, such as 30000/1001. Default: 25."),
]
Deinterlace = Annotated[
    bool, typer.Option("--deinterlace", metavar="", help="Make the frames of interlaced video whole.")
]
Device = Annotated[str, typer.Option(metavar="NAME", help="Where to compute: auto, cpu, cuda, cuda:N or mps.")]
Precision = Annotated[str, typer.Option(metavar="NAME", help="Number format: auto, fp32, bf16 or fp16.")]
MaxFlow = Annotated[
    str,
    typer.Option(
        metavar="PX",
        help="Motion drawn in full colour, in px per pair, the same for the whole run; or auto.",
        rich_help_panel=DRAWING,
    ),
]
ScaleMode = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="video: one colour scale for all pairs; frame: each pair's own.", rich_help_panel=DRAWING
    ),
]
Gamma = Annotated[
    float, typer.Option(metavar="X", help="Above 1, slow motion is drawn more strongly.", rich_help_panel=DRAWING)
]
Background = Annotated[
    str, typer.Option(metavar="NAME", help="What stands still is white, or black.", rich_help_panel=DRAWING)
]
ArrowGrid = Annotated[
    int | None,
    typer.Option(
        metavar="PX", help="How far apart arrows begin. Default: by the picture's size.", min=2, rich_help_panel=DRAWING
    ),
]
ArrowMin = Annotated[
    float, typer.Option(metavar="PX", help="No arrow for motion below this.", min=0, rich_help_panel=DRAWING)
]
Legend = Annotated[
    bool,
    typer.Option(
        "--legend", metavar="", help="Draw the colour wheel, and what its rim stands for.", rich_help_panel=DRAWING
    ),
]
Codec = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="How videos are encoded: h264, h265, vp9, av1, ffv1 (lossless) or prores.",
        rich_help_panel=ENCODING,
    ),
]
Crf = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Quality of h264, h265, vp9 and av1: lower is better and larger.", rich_help_panel=ENCODING
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Speed of the encoder, by its own names: veryfast, slow, 8 ...", rich_help_panel=ENCODING
    ),
]
PixelFormat = Annotated[
    str | None,
    typer.Option(
        "--pix-fmt",
        metavar="NAME",
        help="Pixel format of videos, such as yuv444p for sharper colours.",
        rich_help_panel=ENCODING,
    ),
]
Audio = Annotated[
    bool,
    typer.Option(
        "--audio",
        metavar="",
        help="Copy the sound of the video into the videos that are written.",
        rich_help_panel=ENCODING,
    ),
]
Half = Annotated[
    bool,
    typer.Option("--half", metavar="", help="Store flow in npz as float16: half the size.", rich_help_panel=ENCODING),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", "-y", metavar="", help="Replace outputs that exist.")]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", metavar="", help="Say what would be done, and how long it would take; write nothing."),
]
LogFile = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="Append what is said on stderr, with times and details, to this file."),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", metavar="", help="Say on stderr how it is done.")]
Json = Annotated[bool, typer.Option("--json", metavar="", help="Print a report as JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", metavar="", help="No progress and no summary on stderr.")]


def with_options_of(other: Callable[..., None], *, but: Collection[str]) -> Callable[[Command], Command]:
    """Has a command take the options of another one too, but for some; it gets them as its argument `options`."""

    def decorate(run: Command) -> Command:
        own = {name: p for name, p in signature(run, eval_str=True).parameters.items() if name != "options"}
        shared = {name: p for name, p in signature(other, eval_str=True).parameters.items() if name not in {*but, *own}}

        @wraps(run)
        def command(**given: object) -> None:
            mine = {name: value for name, value in given.items() if name in own}
            run(**mine, options={name: value for name, value in given.items() if name in shared})

        command.__signature__ = Signature([*own.values(), *shared.values()])  # type: ignore[attr-defined]
        return command

    return decorate
