"""flowcli convert: flow files from one format to another, or into pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flowcli.cli import options
from flowcli.flow.formats import FORMATS, PICTURES

EPILOG = options.listed(
    "Formats, the values of --to and --from",
    {**{name: f"{each.ending}: {each.keeps}" for name, each in FORMATS.items()}, **PICTURES},
)


def run(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="A flow file, or a folder of them.")],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="The file to write, or a folder with --to.")],
    to: Annotated[
        str | None, typer.Option(metavar="NAME", help="Format to write. Default: what OUTPUT ends with.")
    ] = None,
    given: Annotated[
        str | None, typer.Option("--from", metavar="NAME", help="Format to read, where INPUT holds several.")
    ] = None,
    bound: Annotated[float, typer.Option(metavar="PX", help="Motion that planes show as black and as white.")] = 20.0,
    half: options.Half = False,
    max_flow: options.MaxFlow = "auto",
    gamma: options.Gamma = 1.0,
    background: options.Background = "white",
    legend: options.Legend = False,
    fps: Annotated[str | None, typer.Option(metavar="N", help="Frames per second of a video. Default: 25.")] = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> None:
    """Turn saved flow into another format, draw it again, or make a video from a folder of it.

    What is written is read back, and what a format could not keep is said.

    Example: flowcli convert out/in_flow kitti --to kitti

    Example: flowcli convert out/in_flow in.mp4 --max-flow 20 --legend
    """
    from flowcli.flow.convert import Wish, convert
    from flowcli.system.console import Console

    wish = Wish(
        source=source,
        output=output,
        to=to,
        given=given,
        bound=bound,
        half=half,
        max_flow=max_flow,
        gamma=gamma,
        background=background,
        legend=legend,
        fps=fps,
        overwrite=overwrite,
    )
    console = Console(quiet=quiet)
    console.conclude(convert(wish, console))
