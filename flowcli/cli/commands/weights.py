"""flowcli weights: lists, fetches, verifies, converts and exports weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flowcli.cli.help import Command, Group
from flowcli.cli.loading import loading
from flowcli.system import options as shared

app = typer.Typer(
    help="Weights: list, show, fetch, verify, convert to other programs' names, export to ONNX.\n\n"
    "Example: flowcli weights list",
    cls=Group,
    no_args_is_help=True,
)

NameOrFile = Annotated[str, typer.Argument(metavar="NAME|FILE", help="Weights by name, or a checkpoint by path.")]


@app.command("list", cls=Command)
def list_all(json: shared.Json = False, quiet: shared.Quiet = False) -> None:
    """List the weights that --weights takes by name: embedded, fetched, and those that can be fetched.

    Example: flowcli weights list
    """
    from flowcli.system.console import Console

    console = Console(quiet=quiet, json=json)
    with loading(quiet=quiet):
        from flowcli.model.weights import storage
        from flowcli.model.weights.catalogue import catalogue
        from flowcli.model.weights.published import LICENCE

    console.table(catalogue())
    console.say(f"fetched weights go to {storage()}")
    console.say(f"licence of published weights: {LICENCE}")


@app.command(cls=Command)
def show(weights: NameOrFile, json: shared.Json = False) -> None:
    """Show a file of weights: whose names it uses, its size, training and checksum.

    Example: flowcli weights show raft-things.pth
    """
    from flowcli.system.console import Console

    with loading():
        from flowcli.model.weights import find
        from flowcli.model.weights.catalogue import profile

    Console(json=json).facts(profile(find(weights)))


@app.command(cls=Command)
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Published weights, as `flowcli weights list` has them.")],
    url: Annotated[str | None, typer.Option(metavar="URL", help="Fetch the file from this mirror instead.")] = None,
    quiet: shared.Quiet = False,
) -> None:
    """Fetch published weights from the network.

    An interrupted download is resumed. The file is kept only if its checksum is right. Proxies are taken from
    https_proxy; FLOWCLI_WEIGHTS_DIR sets the folder of fetched weights.

    Example: flowcli weights fetch raft_large_C_T_SKHT_V2
    """
    from flowcli.system.console import Console

    console = Console(quiet=quiet)
    with loading(quiet=quiet):
        from flowcli.model.weights import storage
        from flowcli.model.weights.fetch import fetch as fetch_weights
        from flowcli.model.weights.published import choose

    console.show(fetch_weights(choose(name), storage(), url=url, console=console))
    console.say(f"use it with --weights {name}")


@app.command(cls=Command)
def verify(
    weights: Annotated[
        list[str] | None, typer.Argument(metavar="NAME|FILE", help="Default: all that have a name.")
    ] = None,
    json: shared.Json = False,
) -> None:
    """Verify weights: their checksums, and every tensor's name, shape and values.

    Example: flowcli weights verify
    """
    from flowcli.errors import WeightsError
    from flowcli.system.console import Console

    with loading():
        from flowcli.model.weights.catalogue import verify as verify_weights

    verdicts = verify_weights(weights or [])
    Console(json=json).table(verdicts)
    if verdicts.failed:
        raise WeightsError(f"damaged or unfit: {', '.join(verdicts.failed)}", hint="fetch or copy them again")


@app.command(cls=Command)
def convert(
    weights: NameOrFile,
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="The file to write: .safetensors, .pth or .pt.")],
    to: Annotated[str, typer.Option(metavar="WHOSE", help="Names: flowcli, princeton or torchvision.")] = "flowcli",
    precision: Annotated[
        str, typer.Option(metavar="NAME", help="fp32, fp16, or auto: as the weights are stored now.")
    ] = "auto",
    overwrite: shared.Overwrite = False,
    quiet: shared.Quiet = False,
) -> None:
    """Write weights under another program's names, which loads them strictly.

    Lossless, except for fp32 weights stored as fp16.

    Example: flowcli weights convert raft-small raft-small.pth --to princeton
    """
    from flowcli.system.console import Console

    console = Console(quiet=quiet)
    with loading(quiet=quiet):
        from flowcli.model.weights import find
        from flowcli.model.weights.convert import convert_weights

    console.say(convert_weights(find(weights), output, names=to, precision=precision, overwrite=overwrite))
    console.show(output)


@app.command(cls=Command)
def export(
    weights: NameOrFile,
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="The .onnx file to write.")],
    size: Annotated[str, typer.Option(metavar="WxH", help="Size of the frames, such as 1024x436, or any.")] = "640x480",
    iterations: shared.Iterations = 12,
    overwrite: shared.Overwrite = False,
    quiet: shared.Quiet = False,
) -> None:
    r"""Write an ONNX model for frames of one size or of any, and compare its flow by onnxruntime with flowcli's.

    Its inputs are `first` and `second`, RGB from 0 to 255 as float32 (1, 3, H, W), its output is `flow` (1, 2, H, W) in
    px; with --size any, also for several pairs at once. Needs: pip install onnx onnxscript onnxruntime.

    Example: flowcli weights export raft-small raft.onnx --size 640x360 --iters 12
    """
    from flowcli.system.console import Console

    console = Console(quiet=quiet)
    with loading(quiet=quiet):
        from flowcli.model.weights import find
        from flowcli.model.weights.onnx import export_onnx, parse_frame_size

    size_of_frames = parse_frame_size(size)
    console.say(export_onnx(find(weights), output, size=size_of_frames, iterations=iterations, overwrite=overwrite))
    console.show(output)
