"""flowcli eval: how well flow is estimated where the truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flowcli.commands import _options
from flowcli.datasets import names


def run(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help=f"What ROOT holds: {', '.join(names())}.")],
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="Folder of the dataset.")],
    weights: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Weights by name or path; repeat it for several. Default: raft-small."),
    ] = None,
    baseline: Annotated[
        str, typer.Option(metavar="LIST", help="Methods to compare with, commas between: dis, farneback, zero.")
    ] = "",
    iterations: _options.Iterations = 12,
    device: _options.Device = "auto",
    precision: _options.Precision = "fp32",
    json: _options.Json = False,
    quiet: _options.Quiet = False,
) -> None:
    """Endpoint error (EPE) on a dataset with ground truth, by group, beside other methods.

    A dataset of pairs is a folder of NAME/frame1.png, NAME/frame2.png and NAME/flow.npz or NAME/flow.flo.

    Example: flowcli eval pairs my-pairs --baseline dis,farneback,zero
    """
    from flowcli.comparison import Comparison, compare
    from flowcli.console import Console

    comparison = Comparison(
        dataset=dataset,
        root=root,
        weights=tuple(weights or ["raft-small"]),
        baselines=tuple(name.strip() for name in baseline.split(",") if name.strip()),
        iterations=iterations,
        device=device,
        precision=precision,
    )
    console = Console(quiet=quiet, json=json)
    console.table(compare(comparison, console))
