"""flowcli train: training of RAFT on generated pairs or datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flowcli.cli.loading import loading
from flowcli.cli.options import takes
from flowcli.training.options import TrainingOptions


@takes(TrainingOptions)
def run(
    *,
    options: dict[str, Any],
    data: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=PATH", help="Folder of a dataset of the recipe, as for eval; repeat the option."),
    ] = None,
    promote: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Instead of training, store the run's best weights at this FOLDER/NAME, with a model card.",
        ),
    ] = None,
    licence: Annotated[
        str, typer.Option(metavar="TEXT", help="With --promote: the licence of the weights, for the card.")
    ] = "not stated",
    origin: Annotated[
        str | None, typer.Option(metavar="TEXT", help="With --promote: the origin of the textures, for the card.")
    ] = None,
) -> None:
    """Train RAFT on generated pairs or on datasets; run it again to resume.

    The run's folder gets log.jsonl, the validation curve in validation.png, and the averaged weights with the lowest
    validation error in best.safetensors. Pairs are rendered when they are first needed: the first steps take longest,
    and the time left is overstated until then. For several processes, start it as torchrun --nproc-per-node 2 -m --
    flowcli train --threads 1 --accumulate 2 ...

    Example: flowcli train --run runs/first --textures ~/Pictures --validation pairs
    """
    from flowcli.system.console import Console

    console = Console()
    with loading(quiet=console.quiet):
        from flowcli.errors import UsageError
        from flowcli.training.promote import Promotion
        from flowcli.training.promote import promote as promote_weights
        from flowcli.training.run import folders, run_training

    training = TrainingOptions(data=folders(data or []), **options)
    if not promote:
        console.summarise(run_training(training))
        return
    if training.validation is None:
        raise UsageError("--promote scores the weights", hint="give --validation, a folder of pairs")
    promotion = Promotion(training.run, promote.parent, promote.name, training.validation, licence, origin)
    console.show(promote_weights(promotion, console))
