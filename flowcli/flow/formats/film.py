"""Motion for compositing, an EXR per pair: forward.u/v, with both directions backward.u/v too; --y-axis up or down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcli.flow.estimate import as_array
from flowcli.flow.formats.exr import Y, components, contents, read
from flowcli.flow.kinds import FlowFile
from flowcli.flow.naming import Naming
from flowcli.media.exr import encode
from flowcli.system.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    import numpy as np
    from jaxtyping import Float
    from numpy.typing import NDArray

    from flowcli.flow.estimate import Estimate
    from flowcli.media.encoding import Encoding

    Flow = Float[NDArray[np.float32], "height width 2"]


def write(path: Path, forward: Flow | None, backward: Flow | None = None, *, half: bool = False, y: str = "up") -> None:
    """Writes each direction that is given as a layer, in px; v grows upwards or downwards, as an attribute says."""
    channels: dict[str, NDArray[Any]] = {}
    for name, flow in (("forward", forward), ("backward", backward)):
        if flow is not None:
            u, v = components(flow, half=half)
            channels |= {f"{name}.u": u, f"{name}.v": -v if y == "up" else v}
    write_whole(path, encode(channels, texts={Y: y}))


def save(path: Path, estimate: Estimate, encoding: Encoding) -> None:
    """Writes the directions that an estimate has."""
    forward, backward = (None if flow is None else as_array(flow) for flow in (estimate.forward, estimate.backward))
    write(path, forward, backward, half=encoding.half, y=encoding.y)


KIND = FlowFile(read, write, Naming("film", ".exr"), save, options=("half", "channels", "y"), contents=contents)
