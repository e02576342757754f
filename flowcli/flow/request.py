"""The arguments and options of `flowcli convert`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from flowcli.system import options


@dataclass(frozen=True)
class ConvertRequest:
    """The arguments and options of `flowcli convert`, as given on the command line."""

    source: Path
    output: Path
    to: Annotated[str | None, typer.Option(metavar="NAME", help="Format to write. Default: the ending of OUTPUT.")] = (
        None
    )
    given: Annotated[
        str | None, typer.Option("--from", metavar="NAME", help="Format to read, where INPUT holds several.")
    ] = None
    bound: options.Bound = 20.0
    channels: Annotated[
        str | None,
        typer.Option(metavar="U,V", help="Channels of an EXR that hold x and y. Default: its forward motion, or R,G."),
    ] = None
    half: options.Half = False
    quantised: options.Quantise = False
    y: options.YAxis = "up"
    max_flow: options.MaxFlow = "auto"
    gamma: options.Gamma = "auto"
    background: options.Background = "white"
    wheel: options.Wheel = "closed"
    stabilise: options.Stabilise = False
    legend: options.Legend = False
    fps: Annotated[str | None, typer.Option(metavar="N", help="Frames per second of a video. Default: 25.")] = None
    overwrite: options.Overwrite = False
