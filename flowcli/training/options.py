"""What a training run was requested to do, and what it works with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flowcli.system import options

if TYPE_CHECKING:
    import torch

    from flowcli.training.distributed import Group
    from flowcli.training.loop import TrainingState
    from flowcli.training.recipes import Recipe
    from flowcli.training.run_folder import RunFolder


@dataclass(frozen=True)
class TrainingOptions:
    """What `flowcli train` was requested to do; `data` are the folders of the recipe's datasets, by name."""

    run: Annotated[
        Path, typer.Option("--run", metavar="PATH", help="Folder of the run: state, log, best weights, rendered pool.")
    ]
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
    ] = "cpu"
    textures: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Folder of photographs and cut-outs; without it, patterns made in code."),
    ] = None
    validation: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Folder of pairs with ground truth, or DATASET=PATH; without it no best weights are chosen.",
        ),
    ] = None
    weights: Annotated[
        str | None, typer.Option(metavar="NAME", help="Begin a new run with these weights, by name or path.")
    ] = None
    data: Mapping[str, Path] = field(default_factory=dict)
    device: options.Device = "auto"
    precision: Annotated[str, typer.Option(metavar="NAME", help="Number format: auto, fp32 or bf16.")] = "auto"
    threads: Annotated[int, typer.Option(metavar="N", help="CPU threads; 0 takes all.", min=0)] = 0
    minutes_between_validations: Annotated[
        float, typer.Option("--every", metavar="MIN", help="Minutes between validations.", min=0.1)
    ] = 20
    minutes_between_saves: Annotated[
        float | None,
        typer.Option(
            "--save-every",
            metavar="MIN",
            help="Minutes between saves, after which a killed run goes on. Default: 3.",
            min=0,
        ),
    ] = None
    accumulate: Annotated[
        int, typer.Option(metavar="N", help="Parts of a batch whose gradients are added up, for less memory.", min=1)
    ] = 1
    workers: Annotated[int, typer.Option(metavar="N", help="Threads that read --data ahead.", min=0)] = 4
    minutes: Annotated[
        float | None,
        typer.Option(
            metavar="MIN", help="As many steps as fit into so many minutes, which the recipe's stages share.", min=0.01
        ),
    ] = None
    renderers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Processes that render pairs all the while, instead of a pool or, with 0, the GPU; how many there are "
            "at a step depends on their speed. Default: for gpu, all cores but 4.",
            min=0,
        ),
    ] = None
    compiled: Annotated[
        bool,
        typer.Option("--compile", metavar="", help="Compile the update first: faster on a GPU, after half a minute."),
    ] = False
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", metavar="", help="Write curves for TensorBoard into the run's folder.")
    ] = False


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """A run under way."""

    options: TrainingOptions
    recipe: Recipe
    device: torch.device
    folder: RunFolder
    state: TrainingState
    group: Group
