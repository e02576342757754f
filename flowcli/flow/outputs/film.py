"""Motion for compositing, an EXR per pair: forward.u/v, with both directions backward.u/v too; --y-axis up or down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.flow.estimate import as_array
from flowcli.flow.formats.exr import Y, components, read
from flowcli.flow.kinds import FlowFile
from flowcli.flow.naming import Naming
from flowcli.media.exr import encode
from flowcli.system.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from jaxtyping import Float
    from numpy.typing import NDArray

    from flowcli.flow.estimate import Estimate
    from flowcli.media.encoding import Encoding


def write(path: Path, flow: Float[NDArray[np.float32], "height width 2"], *, half: bool = False) -> None:
    """Writes forward.u and forward.v in px, v upwards, as compositing programs count."""
    write_whole(path, encode(layer("forward", flow, half=half, up=True), texts={Y: "up"}))


def save(path: Path, estimate: Estimate, encoding: Encoding) -> None:
    """Writes each direction that an estimate has as a layer of its own; an attribute says which way y goes."""
    flows = {"forward": estimate.forward, "backward": estimate.backward}
    layers = [
        layer(name, as_array(flow), half=encoding.half, up=encoding.y == "up")
        for name, flow in flows.items()
        if flow is not None
    ]
    channels = {name: channel for each in layers for name, channel in each.items()}
    write_whole(path, encode(channels, texts={Y: encoding.y}))


def layer(
    name: str, flow: Float[NDArray[np.float32], "height width 2"], *, half: bool, up: bool
) -> dict[str, NDArray[Any]]:
    """The channels `name.u` and `name.v` of a flow, NaN where it is unknown; v is negative downwards if `up`."""
    x, y = components(flow, half=half)
    return {f"{name}.u": x, f"{name}.v": -y if up else y}


KIND = FlowFile(read, write, Naming("film", ".exr"), save, options=("half",))
