"""The options of `flowcli train`, and the objects of a training run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flowcli.system import options

if TYPE_CHECKING:
    import torch

    from flowcli.training.distributed import Group
    from flowcli.training.recipes import Recipe
    from flowcli.training.run_folder import RunFolder
    from flowcli.training.state import TrainingState
    from raft_core.raft import RAFT


@dataclass(frozen=True)
class TrainingOptions:
    """The options of `flowcli train`; `data` are the folders of the recipe's datasets, by name."""

    run: Annotated[
        Path, typer.Option("--run", metavar="PATH", help="Folder of the run: state, log, best weights, rendered pool.")
    ]
    recipe: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Stages and schedule on generated pairs: cpu (two hours on two cores); further, context, longer "
            "and more (each continues from the --weights of the one before, in two processes); gpu (continues on a "
            "GPU, in minutes, and adds a mask head), head and joint (the same on a CPU); refiner (the network of "
            "--refine learned, for the flow of --weights); smoke (a test of seconds). On --data: chairs, things, "
            "sintel, kitti (as published), finetune, or your own .toml file.",
        ),
    ] = "cpu"
    textures: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Folder of photographs and cut-outs. Default: patterns generated in code."),
    ] = None
    validation: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Folder of pairs with ground truth, or DATASET=PATH; without it, no best weights are chosen.",
        ),
    ] = None
    weights: Annotated[
        str | None, typer.Option(metavar="NAME", help="Start a new run from these weights, by name or path.")
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
            help="Minutes between saves, from which a killed run is resumed. Default: 3.",
            min=0,
        ),
    ] = None
    accumulate: Annotated[
        int, typer.Option(metavar="N", help="Accumulate gradients over N parts of a batch, to save memory.", min=1)
    ] = 1
    workers: Annotated[int, typer.Option(metavar="N", help="Threads that prefetch --data.", min=0)] = 4
    minutes: Annotated[
        float | None,
        typer.Option(metavar="MIN", help="Train for so many minutes, divided among stages by their steps.", min=0.01),
    ] = None
    renderers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Processes that render pairs during training, so that runs differ a little; 0: a pool on disk, or "
            "for gpu the training device. Default: 0; for gpu, all cores but 4.",
            min=0,
        ),
    ] = None
    compiled: Annotated[
        bool,
        typer.Option("--compile", metavar="", help="Compile RAFT's update: faster on a GPU, after half a minute."),
    ] = False
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", metavar="", help="Write TensorBoard logs into the run's folder.")
    ] = False


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """An open run: its options, recipe, device, folder, state and group of processes."""

    options: TrainingOptions
    recipe: Recipe
    device: torch.device
    folder: RunFolder
    state: TrainingState[Any]
    group: Group
    raft: RAFT | None = None
    """The model whose flow the run's refiner refines; None where the run trains RAFT itself."""
