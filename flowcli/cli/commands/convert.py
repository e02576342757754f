"""flowcli convert: flow files from one format to another, or into pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flowcli.cli.loading import loading
from flowcli.cli.options import listed, takes
from flowcli.flow.formats import ARRAYS, FORMATS, PICTURES
from flowcli.flow.request import ConvertRequest
from flowcli.system import options as shared

EPILOG = listed(
    "Formats, the values of --to and --from",
    {**{name: f"{each.ending}: {each.keeps}" for name, each in (FORMATS | ARRAYS).items()}, **PICTURES},
)


@takes(ConvertRequest)
def run(
    source: Annotated[
        Path,
        typer.Argument(metavar="INPUT", help="A flow file, a folder of them, or an array of the flow of many pairs."),
    ],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="The file to write, or a folder with --to.")],
    options: dict[str, Any],
    quiet: shared.Quiet = False,
) -> None:
    """Convert saved flow to another format, to pictures, or a folder of it to a video.

    Written flow files are read back, and values that the format could not keep are reported.

    Example: flowcli convert out/in_flow kitti --to kitti

    Example: flowcli convert out/in_flow flow.mp4 --max-flow 20 --legend
    """
    from flowcli.system.console import Console

    console = Console(quiet=quiet)
    with loading(source, quiet=quiet):
        from flowcli.flow.convert import convert

    console.conclude(convert(ConvertRequest(source, output, **options), console))
