"""flowcli train: a RAFT trained on generated pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flowcli.cli import options


def run(
    folder: Annotated[
        Path, typer.Option("--run", metavar="PATH", help="Folder of the run: state, log, best weights, rendered pool.")
    ],
    recipe: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Stages and schedule: cpu (two hours on two cores), further (from --weights that match already, "
            "in two processes), context (likewise, from such that pass over the first frame), longer and more "
            "(from those, each two hours again), gpu (likewise, on a GPU, in minutes), smoke (a test, "
            "seconds); chairs, things, sintel, kitti (as published) and finetune train on --data; or a .toml file "
            "like theirs.",
        ),
    ] = "cpu",
    textures: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Folder of photographs and cut-outs; without it, patterns made in code."),
    ] = None,
    validation: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Folder of pairs with ground truth, or DATASET=PATH; without it no best weights are chosen.",
        ),
    ] = None,
    weights: Annotated[
        str | None, typer.Option(metavar="NAME", help="Begin a new run with these weights, by name or path.")
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=PATH", help="Where a dataset of the recipe lies, as eval takes it; for each one."),
    ] = None,
    device: options.Device = "auto",
    precision: Annotated[str, typer.Option(metavar="NAME", help="Number format: auto, fp32 or bf16.")] = "auto",
    threads: Annotated[int, typer.Option(metavar="N", help="CPU threads; 0 takes all.", min=0)] = 0,
    every: Annotated[float, typer.Option(metavar="MIN", help="Minutes between validations.", min=0.1)] = 20,
    save_every: Annotated[
        float | None,
        typer.Option(metavar="MIN", help="Minutes between saves, after which a killed run goes on. Default: 3.", min=0),
    ] = None,
    accumulate: Annotated[
        int, typer.Option(metavar="N", help="Parts of a batch whose gradients are added up, for less memory.", min=1)
    ] = 1,
    workers: Annotated[int, typer.Option(metavar="N", help="Threads that read --data ahead.", min=0)] = 4,
    minutes: Annotated[
        float | None,
        typer.Option(
            metavar="MIN", help="As many steps as fit into so many minutes, which the recipe's stages share.", min=0.01
        ),
    ] = None,
    renderers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Processes that render pairs all the while, instead of a pool or, with 0, the GPU; how many there are "
            "at a step depends on their speed. Default: for gpu, all cores but 4.",
            min=0,
        ),
    ] = None,
    compiled: Annotated[
        bool,
        typer.Option("--compile", metavar="", help="Compile the update first: faster on a GPU, after half a minute."),
    ] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", metavar="", help="Write curves for TensorBoard into the run's folder.")
    ] = False,
    promote: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Instead of training, store the run's best weights at this FOLDER/NAME, with a model card.",
        ),
    ] = None,
) -> None:
    """Train RAFT on generated pairs or on datasets; run again to go on exactly where it stopped.

    Progress goes to the terminal and to log.jsonl in the run's folder, the validation curve to validation.png; the
    averaged weights that validated best are best.safetensors there. For several processes, start it as
    torchrun --nproc-per-node 2 -m -- flowcli train --threads 1 and so on.

    Example: flowcli train --run runs/first --textures ~/Pictures --validation pairs
    """
    from flowcli.errors import UsageError
    from flowcli.system.console import Console
    from flowcli.training.options import TrainingOptions
    from flowcli.training.promote import Promotion
    from flowcli.training.promote import promote as promote_weights
    from flowcli.training.run import folders, run_training

    console = Console()
    if promote:
        if validation is None:
            raise UsageError("--promote scores the weights", hint="give --validation, a folder of pairs")
        console.show(promote_weights(Promotion(folder, promote.parent, promote.name, validation), console))
        return
    options = TrainingOptions(
        run=folder,
        recipe=recipe,
        textures=textures,
        validation=validation,
        weights=weights,
        device=device,
        precision=precision,
        threads=threads,
        minutes_between_validations=every,
        minutes_between_saves=save_every,
        data=folders(data or []),
        accumulate=accumulate,
        workers=workers,
        tensorboard=tensorboard,
        minutes=minutes,
        compiled=compiled,
        renderers=renderers,
    )
    console.say(run_training(options))
