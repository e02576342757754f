"""flowcli train: a RAFT trained on generated pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flowcli.cli.options import takes
from flowcli.training.options import TrainingOptions


@takes(TrainingOptions)
def run(
    *,
    options: dict[str, Any],
    data: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=PATH", help="Where a dataset of the recipe lies, as eval takes it; for each one."),
    ] = None,
    promote: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Instead of training, store the run's best weights at this FOLDER/NAME, with a model card.",
        ),
    ] = None,
    licence: Annotated[
        str, typer.Option(metavar="TEXT", help="With --promote: the terms of the weights, for the card.")
    ] = "not stated",
    origin: Annotated[
        str | None, typer.Option(metavar="TEXT", help="With --promote: where the pictures come from, for the card.")
    ] = None,
) -> None:
    """Train RAFT on generated pairs or on datasets; run again to go on where it stopped.

    Progress goes to the terminal and to log.jsonl in the run's folder, the validation curve to validation.png; the
    averaged weights that validated best are best.safetensors there. For several processes, start it as
    torchrun --nproc-per-node 2 -m -- flowcli train --threads 1 and so on.

    Example: flowcli train --run runs/first --textures ~/Pictures --validation pairs
    """
    from flowcli.errors import UsageError
    from flowcli.system.console import Console
    from flowcli.training.promote import Promotion
    from flowcli.training.promote import promote as promote_weights
    from flowcli.training.run import folders, run_training

    console = Console()
    training = TrainingOptions(data=folders(data or []), **options)
    if not promote:
        console.say(run_training(training))
        return
    if training.validation is None:
        raise UsageError("--promote scores the weights", hint="give --validation, a folder of pairs")
    console.show(promote_weights(Promotion(training.run, promote.parent, promote.name, training.validation), console))
