"""flowcli batch: the flow of every clip below a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flowcli.cli.loading import loading
from flowcli.cli.options import outputs, takes
from flowcli.pipeline.request import Request
from flowcli.system import options as shared

EPILOG = outputs()


# A batch always resumes.
@takes(Request, without=("resume",))
def run(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Folder with videos and image folders, at any depth; or a list of them: text, CSV, JSONL.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="PATH", help="Folder for the outputs, laid out like DIR. Default: DIR_flow."
        ),
    ] = None,
    include: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="Only clips that match, such as '*.mp4' or 'day1/*'.")
    ] = None,
    exclude: Annotated[list[str] | None, typer.Option(metavar="GLOB", help="No clips that match.")] = None,
    engine: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Engine that starts workers: local, on this machine; or ray, on a Ray cluster."
        ),
    ] = "local",
    address: Annotated[
        str,
        typer.Option(metavar="WHERE", help="Ray cluster: auto, this machine's; local, a new one; or HOST:PORT."),
    ] = "auto",
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Processes that compute clips. Default: one for each GPU, else one; with ray, one a node.",
            min=1,
        ),
    ] = None,
    isolate: Annotated[
        bool,
        typer.Option(
            "--isolate", metavar="", help="Compute in a separate process, so that a crash fails one clip only."
        ),
    ] = False,
    shard: Annotated[
        str, typer.Option(metavar="I/N", help="Only every N-th clip, from the I-th on: one shard of a job array.")
    ] = "1/1",
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", metavar="", help="Retry clips that failed in an earlier run.")
    ] = False,
    report: Annotated[
        bool, typer.Option("--report", metavar="", help="Also write report.html: every clip, its motion, and failures.")
    ] = False,
    table: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Also write the motion of every clip as motion.csv, motion.jsonl or motion.parquet. Default: csv with "
            "--save stats.",
        ),
    ] = None,
    table_pairs: Annotated[
        bool,
        typer.Option("--table-pairs", metavar="", help="Also write the motion of every pair, as motion_pairs.csv ..."),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", metavar="", help="List clips, their length and computing time; write nothing."),
    ] = False,
    json: shared.Json = False,
    quiet: shared.Quiet = False,
    log_file: shared.LogFile = None,
    *,
    options: dict[str, Any],
) -> None:
    """Flow of every video and image folder below DIR; run it again to resume.

    A clip that fails does not stop the others; it is listed with the reason, here and in batch.json beside the outputs.
    The options of flowcli video apply to every clip. A list has a path in every line; as CSV (columns path, skip, start
    ...) or JSONL it can set options for each clip.

    Example: flowcli batch clips -o flows --save flo,video --skip 2

    In a Slurm job array of eight: flowcli batch clips -o flows --shard $SLURM_ARRAY_TASK_ID/8; afterwards the same
    without --shard, to collect all clips in one batch.json and report.
    """
    from flowcli.system.console import Console

    console = Console(quiet=quiet, json=json, log_file=log_file)
    with loading(folder, quiet=console.quiet):
        from flowcli.batch.clip_list import read_list
        from flowcli.batch.clips import discover, left_out
        from flowcli.batch.dry_run import BatchPlan
        from flowcli.batch.engines import EngineOptions
        from flowcli.batch.run import run_batch, shard_of
        from flowcli.batch.table import TableOptions
        from flowcli.flow.outputs import choose
        from flowcli.media.sources import name_of

    target = output or folder.resolve().with_name(f"{name_of(folder.resolve())}_flow")
    measured = "stats" in choose(options["save"])
    tables = TableOptions.of(table, each_pair=table_pairs, measured=measured)
    if tables.formats and not measured:
        options["save"] += ",stats"  # of whose records the table is made
    request = Request(inputs=(folder,), output=target, **options)
    if folder.is_file():
        clips = read_list(folder, include=include or (), exclude=exclude or ())
    else:
        clips = discover(folder, include=include or (), exclude=exclude or (), outputs=target)
        if note := left_out(folder, outputs=target):
            console.say(f"note: {note}")
    clips = shard_of(clips, shard)
    if dry_run:
        console.table(BatchPlan.of(clips, request, target))
        return
    batch = run_batch(
        clips,
        request,
        target,
        console=console,
        engine=EngineOptions(engine, workers, isolate=isolate, address=address),
        shard=shard,
        retry_failed=retry_failed,
        report=report,
        table=tables,
    )
    console.table(batch)
    console.summarise(batch.places())
    if problem := batch.problem():
        raise problem
