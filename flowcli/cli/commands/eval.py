"""flowcli eval: scores of estimated flow on datasets with ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flowcli.cli.loading import loading
from flowcli.cli.options import listed, takes
from flowcli.evaluation.datasets import descriptions, names
from flowcli.pipeline.request import Request
from flowcli.system import options as shared

EPILOG = listed("Datasets, the values of DATASET", descriptions())


@takes(Request, only=("quality", "iterations", "tolerance", "refine", "scale", "max_side", "device"))
def run(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help=f"The dataset in ROOT: {', '.join(names())}.")],
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="Folder of the dataset.")],
    weights: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Weights by name or path; repeat the option for several. Default: raft-small-convex."
        ),
    ] = None,
    baseline: Annotated[
        str, typer.Option(metavar="LIST", help="Baselines, separated by commas: dis, farneback, zero.")
    ] = "",
    part: Annotated[
        str, typer.Option(metavar="NAME", help="The pairs of a dataset that is split: training or validation.")
    ] = "validation",
    *,
    options: dict[str, Any],
    warm_start: Annotated[
        bool,
        typer.Option("--warm-start", metavar="", help="Start each pair of a sequence from the previous pair's flow."),
    ] = False,
    padding: Annotated[
        str,
        typer.Option(metavar="NAME", help="How frames are padded: centre, bottom, or auto, as published for DATASET."),
    ] = "auto",
    all_pixels: Annotated[
        bool,
        typer.Option(
            "--all-pixels", metavar="", help="Also count Sintel's pixels marked invalid, as princeton-vl/RAFT does."
        ),
    ] = False,
    precision: shared.Precision = "fp32",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="PATH", help="Folder for scores, written after every pair, for --resume."
        ),
    ] = None,
    worst: Annotated[
        int,
        typer.Option(metavar="N", help="List each method's N worst pairs, and draw their errors in -o.", min=0),
    ] = 0,
    submission: Annotated[
        Path | None,
        typer.Option(
            "--submit",
            metavar="PATH",
            help="Instead, write the flow of the test pairs here, for sintel's or kitti's server.",
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", metavar="", help="Resume an earlier run.")] = False,
    overwrite: shared.Overwrite = False,
    json: shared.Json = False,
    csv: Annotated[bool, typer.Option("--csv", metavar="", help="Print a line for each pair and method.")] = False,
    quiet: shared.Quiet = False,
) -> None:
    """Endpoint error (EPE), outliers and more on a dataset with ground truth, beside other methods.

    Published results are with --quality exact --all-pixels on Sintel, and --quality exact --iters 24 on KITTI and
    FlyingChairs.

    Example: flowcli eval pairs my-pairs --baseline dis,farneback,zero
    """
    from flowcli.system.console import Console

    console = Console(quiet=quiet, json=json)
    with loading(quiet=console.quiet):
        from flowcli.evaluation.benchmark import Benchmark, run_benchmark
        from flowcli.evaluation.methods import method_options
        from flowcli.evaluation.submission import Submission, submit
        from flowcli.model.quality import Effort

    device = options.pop("device")
    chosen = method_options(
        dataset,
        weights=weights or ["raft-small-convex"],
        baselines=baseline,
        effort=Effort(**options, precision=precision),
        device=device,
        warm_start=warm_start,
        padding=padding,
    )
    if submission:
        console.say(submit(Submission(dataset, root, chosen, submission, resume, overwrite), console))
        return
    benchmark = Benchmark(
        dataset=dataset,
        root=root,
        options=chosen,
        part=part,
        count_invalid=all_pixels,
        folder=output,
        resume=resume,
        overwrite=overwrite,
        worst=worst,
    )
    console.scores(run_benchmark(benchmark, console), csv=csv, worst=worst)
