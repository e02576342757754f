"""Draws the flow that `flowcli convert` reads: pictures, or videos, all in one colour scale."""

from __future__ import annotations

import contextlib
import json
import math
from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING

from flowcli.errors import SourceError
from flowcli.flow.camera_motion import camera_motion
from flowcli.flow.colour import colour_flow, magnitude, parse_scale, plain_scale
from flowcli.flow.convert_input import BACKWARD
from flowcli.flow.drawing import Style
from flowcli.flow.estimate import Stamp
from flowcli.flow.formats import flow_file
from flowcli.media.pyav import VideoWriter
from flowcli.media.selection import parse_rate
from flowcli.media.sources._sequence import DEFAULT_RATE
from flowcli.system.opencv import write_png

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from flowcli.flow.convert_input import FlowInput, Item
    from flowcli.flow.request import ConvertRequest
    from flowcli.system.console import Console

SAMPLED_FOR_COLOUR = 9


def draw(
    request: ConvertRequest, given: FlowInput, outputs: Sequence[tuple[Path, list[Item]]], console: Console
) -> str:
    """Draws each output, a video of its items or the picture of its one; returns the scale and what was left out."""
    shown = [item for _, items in outputs for item in items]
    sampled = shown[:: math.ceil(len(shown) / SAMPLED_FOR_COLOUR)]
    plain = plain_scale(request.gamma, request.background, request.wheel)
    scale = parse_scale(request.max_flow, plain)
    if scale is None:
        speeds = (magnitude(shown_flow(request, given, item)) for item in sampled)
        scale = plain.fitted(speeds, gamma=request.gamma == "auto")
    style = Style(scale, request.legend, request.stabilise)
    drawings = (
        (item, style.finish(colour_flow(shown_flow(request, given, item), scale=scale)))
        for item in console.follow(shown, total=len(shown), unit="file")
    )
    for path, items in outputs:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == ".mp4":
            write_video(path, islice(drawings, len(items)), times_of(request, given.kind, items))
        else:
            write_png(path, next(drawings)[1])
    return f"{scale}{given}"


def shown_flow(request: ConvertRequest, given: FlowInput, item: Item) -> NDArray[np.float32]:
    """An item's flow (height, width, 2) in px, without the motion of the camera if it is to be stabilised."""
    flow = given.read(item)
    return flow - camera_motion(flow) if request.stabilise else flow


def times_of(request: ConvertRequest, kind: str, items: Sequence[Item]) -> list[Fraction]:
    """The time of each item's frame: at `--fps`, else from the report beside the folder or array, else at 25 fps."""
    rate = parse_rate(request.fps)
    path, is_array = items[0].path, items[0].number is not None
    report = path.with_name(f"{path.stem.removesuffix(BACKWARD)}.json") if is_array else beside(path.parent, kind)
    if rate is None and report.is_file():
        with contextlib.suppress(ValueError, TypeError, KeyError):
            content = json.loads(report.read_text(encoding="utf-8"))
            names = "index" if is_array else content["settings"]["names"]
            stamps = [Stamp.from_record(pair) for pair in content["pairs"]]
            times = {stamp.stem(names): stamp.own_time for stamp in stamps}
            return [times[item.stem.removesuffix(BACKWARD)] for item in items]
    return [number / (rate or DEFAULT_RATE) for number in range(len(items))]


def beside(folder: Path, kind: str) -> Path:
    """The report of the flow of this kind in a folder."""
    own = flow_file(kind).naming.stem
    return folder.with_name(f"{folder.resolve().name.removesuffix(own)}flow.json")


def write_video(path: Path, drawings: Iterable[tuple[Item, NDArray[np.uint8]]], times: Sequence[Fraction]) -> None:
    """Writes the video of each item's picture at its time; raises SourceError where sizes differ."""
    length = times[1] - times[0] if len(times) > 1 else 1 / DEFAULT_RATE
    # The longest tick of which every time is a multiple.
    tick = Fraction(1, math.lcm(*(time.denominator for time in (*times, length))))
    writer = VideoWriter(path, rate=1 / length, tick=tick)
    size: tuple[int, ...] | None = None
    try:
        for (item, image), time in zip(drawings, times, strict=True):
            if image.shape != (size := size or image.shape):
                sizes = f"{image.shape[1]} x {image.shape[0]}, but the first is {size[1]} x {size[0]}"
                raise SourceError(f"{item} is {sizes}", hint="a video has one size")
            writer.write(image, time=time)
        writer.close()
    except BaseException:
        writer.abort()
        raise
