"""The options of `flowcli inspect` as the fields of a dataclass."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from flowcli.media.sources import name_of
from flowcli.system import options
from flowcli.system.outputs import output_folder

DEMO, DEMO_NAME = "demo", "fan"


@dataclass(frozen=True)
class InspectRequest:
    """The options of one inspection, as spelled on the command line."""

    inputs: tuple[str, ...]
    at: tuple[str, ...] = ()
    automatic: Annotated[
        int | None,
        typer.Option(
            "--auto",
            metavar="N",
            help="Choose N pixels: up to three fast ones that are matched well, and the hardest. "
            "Default: all four, or none with --at.",
            min=0,
            max=4,
        ),
    ] = None
    frame: Annotated[
        int | None,
        typer.Option(metavar="T", help="Of a video: the first frame, from 0. Default: 0; of demo: 10.", min=0),
    ] = None
    skip: Annotated[
        int | None,
        typer.Option(metavar="N", help="Of a video: the second is frame T+N. Default: 1; of demo: 3.", min=1),
    ] = None
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="PATH", help="Folder to write NAME_inspect to. Default: beside the input."
        ),
    ] = None
    ground_truth: Annotated[
        Path | None,
        typer.Option("--gt", metavar="FILE", help="Ground truth, .flo or .npz: gives the error after every update."),
    ] = None
    weights: options.Weights = "raft-small-convex"
    iterations: Annotated[
        int | None,
        typer.Option("--iters", metavar="N", help="Updates of the flow. Default: 12; of demo: 15.", min=1),
    ] = None
    without: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Also run without these parts, one run for each: context, hidden (the initial state), motion (the "
            "motion features), level0 to level3; + joins parts of one run; none. Default: none; of demo: "
            "context,level3,motion.",
        ),
    ] = None
    radius: Annotated[
        int | None,
        typer.Option(metavar="N", help="Also run with lookups that read only up to N cells around.", min=0),
    ] = None
    warm_start: Annotated[
        bool,
        typer.Option(
            "--warm-start", metavar="", help="Of a video: start from the flow of the previous pair, T-N to T."
        ),
    ] = False
    motion: Annotated[
        str,
        typer.Option(
            "--motion-channels", metavar="LIST", help="Motion features to show, such as 3,14; auto: the most active."
        ),
    ] = "auto"
    hidden: Annotated[
        str,
        typer.Option("--hidden-channels", metavar="LIST", help="Hidden channels to show; auto: the most active."),
    ] = "auto"
    device: options.Device = "auto"
    precision: options.Precision = "fp32"
    max_flow: options.MaxFlow = "auto"
    overwrite: options.Overwrite = False

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files or folders to read; none for the demo."""
        return () if self.inputs == (DEMO,) else tuple(map(Path, self.inputs))

    @property
    def folder(self) -> Path:
        """The folder NAME_inspect to write, below `-o` or beside the input; of the demo in the working directory."""
        if not self.paths:
            return (self.output or Path()) / f"{DEMO_NAME}_inspect"
        return output_folder(self.paths[0], self.output) / f"{name_of(self.paths[0])}_inspect"
