"""flowcli compare: two flows of one video, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flowcli.cli.loading import loading
from flowcli.cli.options import takes
from flowcli.pipeline.request import Request
from flowcli.system import options as shared

EPILOG = """
Sides, what A and B may be
raft-small          weights, by name or path
raft-small,iters=4  with settings, commas between: quality, iters,
                    tolerance, refine, precision, max-side, scale,
                    warm-start=yes
out/in_flow         a folder of flow, as `flowcli video --save flo` writes it
"""


TAKEN = (
    *("output", "skip", "start", "end", "max_frames", "fps"),
    *("quality", "iterations", "tolerance", "refine", "device", "precision", "memory", "max_side", "scale"),
    *("max_flow", "overwrite"),
)


@takes(Request, only=TAKEN)
def run(
    input: Annotated[
        Path, typer.Argument(metavar="VIDEO", help="A video, a folder of images, or a pattern in quotes.")
    ],
    first: Annotated[
        str, typer.Argument(metavar="A", help="One side: weights, optionally with settings, or a folder.")
    ],
    second: Annotated[str, typer.Argument(metavar="B", help="The other side.")],
    options: dict[str, Any],
    json: shared.Json = False,
    quiet: shared.Quiet = False,
) -> None:
    """Compare two weights, two settings, or two folders of flow on one video.

    Writes VIDEO_compare.mp4, which shows the frame, both flows and their difference, and VIDEO_compare.json with
    statistics of every pair.

    Example: flowcli compare in.mp4 raft-small raft_large_C_T_SKHT_V2

    Example: flowcli compare in.mp4 raft-small,quality=fast raft-small,quality=best
    """
    from flowcli.system.console import Console

    console = Console(quiet=quiet, json=json)
    with loading(input, quiet=console.quiet):
        from flowcli.evaluation.compare import compare_sides

    console.conclude(compare_sides(Request(inputs=(input,), **options), (first, second), console))
