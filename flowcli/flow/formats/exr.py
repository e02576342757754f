"""Raw flow as OpenEXR, exact to the bit, a .exr file per pair: x is red, y is green."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flowcli.errors import SourceError, UsageError
from flowcli.flow.colour import with_nan
from flowcli.flow.formats._reading import opened
from flowcli.flow.kinds import Contents, FlowFile
from flowcli.flow.naming import Naming
from flowcli.media.exr import encode
from flowcli.media.pyav import decode_exr, exr_headers
from flowcli.system.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jaxtyping import Float
    from numpy.typing import NDArray

Y = "flowcli.y"
"""The attribute that says whether y is `up` or `down` where flowcli wrote a file; it is down in all others."""
MAP = "flowcli.map"
"""The attribute of STMaps, which hold places, not motion."""
_KIND = "an .exr file with motion in forward.u and forward.v, or in R and G"
_PAIRS = (("u", "v"), ("x", "y"), ("r", "g"))
_MOTION = ("forward", "flow", "motion", "vector", "velocity", "mv")
# Coordinates of textures.
_NO_MOTION = ("uv", "uvs", "st", "uvmap", "texcoord")


def write(path: Path, flow: Float[NDArray[np.float32], "height width 2"], *, half: bool = False) -> None:
    """Writes channels R (right), G (down) and B (0), losslessly compressed; NaN where flow is unknown.

    They are float32, or float16 if `half`.
    """
    red, green = components(flow, half=half)
    write_whole(path, encode({"R": red, "G": green, "B": np.zeros_like(red)}))


def components(flow: Float[NDArray[np.float32], "height width 2"], *, half: bool) -> tuple[NDArray[Any], NDArray[Any]]:
    """The x and y of flow as channels of a file; NaN where it is unknown, or too long for float16."""
    with np.errstate(over="ignore"):
        stored = with_nan(flow).astype(np.float16 if half else np.float32)
    stored[~np.isfinite(stored).all(axis=2)] = np.nan
    return stored[..., 0], stored[..., 1]


def read(path: Path, *, channels: str | None = None) -> Float[NDArray[np.float32], "height width 2"]:
    """Reads two channels as float32 (height, width, 2): `channels` (`U,V`), or those that hold motion.

    Raises UsageError where the file lacks these channels, SourceError where it holds no motion.
    """
    with opened(path, kind=_KIND) as file:
        data = file.read()
    headers = exr_headers(path, data)
    part, names = chosen(path, [header.names for header in headers], channels)
    if MAP in headers[part].texts:
        raise SourceError(f"{path} is an STMap", hint="its flow is read by --from stmap")
    flow = decode_exr(path, data, names, part=part)
    if headers[part].texts.get(Y) == "up":
        flow[..., 1] *= -1
    return np.ascontiguousarray(flow)


def contents(path: Path, *, channels: str | None = None) -> Contents:
    """Which channels are read, and which are left out; none are named where only R and G hold anything."""
    data = path.read_bytes()
    parts = [header.names for header in exr_headers(path, data)]
    part, names = chosen(path, parts, channels)
    left = tuple(
        name
        for number, each in enumerate(parts)
        for name in each
        if (number, name) not in {(part, name) for name in names}
    )
    if (
        names == ("R", "G")
        and left in {(), ("B",)}
        and not (left and np.nan_to_num(decode_exr(path, data, left)).any())
    ):
        return Contents()
    return Contents(names, left)


def chosen(path: Path, parts: Sequence[Sequence[str]], channels: str | None) -> tuple[int, tuple[str, str]]:
    """The part and the two channels to read, among the channels of each part of a file.

    `channels` names them; else forward motion comes before other motion, and both before R and G. Raises UsageError
    or SourceError where there are none.
    """
    listed = ", ".join(name for names in parts for name in names)
    if channels is not None:
        names = tuple(name.strip() for name in channels.split(","))
        part = next((number for number, each in enumerate(parts) if set(names) <= set(each)), None)
        if len(names) != 2 or part is None:
            raise UsageError(f"--channels {channels} are not two channels of {path}", hint=f"it has {listed}")
        return part, (names[0], names[1])
    found = [(rank(*pair), number, pair) for number, names in enumerate(parts) for pair in pairs(names)]
    known = [each for each in found if each[0] is not None]
    if not known:
        raise SourceError(f"{path} holds no motion in its channels: {listed}", hint="name two with --channels U,V")
    _, part, names = min(known, key=lambda each: each[:2])
    return part, names


def pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """The channels of each layer that may be x and y."""
    exact = {name.lower(): name for name in names}
    return [
        (exact[name], exact[partner])
        for x, y in _PAIRS
        for name in exact
        if name.rpartition(".")[2] == x and (partner := name.removesuffix(x) + y) in exact
    ]


def rank(first: str, _: str) -> int | None:
    """How surely two channels are forward motion, 0 most; None for what is not motion."""
    layer, _, leaf = first.lower().rpartition(".")
    words = layer.replace("_", ".").replace(" ", ".").split(".")
    if words[-1] in _NO_MOTION:
        return None
    if "backward" in layer:
        return 4
    if words[-1] == "forward":
        return 0
    if any(word in layer if len(word) > 2 else word in words for word in _MOTION):
        return 1
    if leaf == "u":
        return 2
    return {"x": 3, "r": 5}[leaf] if not layer else None


KIND = FlowFile(read, write, Naming("flow", ".exr"), options=("half", "channels"), contents=contents)
