"""Draws the outputs of the encoders channel by channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcli.inspection.canvas import (
    CLEAR,
    column,
    decimal,
    enlarged,
    fitted,
    line,
    row,
    spread,
    titled,
)
from flowcli.inspection.channels import smoothest
from flowcli.inspection.figures import as_figure
from flowcli.inspection.maps import feature_maps
from flowcli.inspection.picture import PictureFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowcli.inspection.canvas import Image, Map
    from flowcli.inspection.findings import Findings

ACROSS = 16
THUMB = (92, 92)
PANEL = 340
TITLES = {
    "first": "Features of the first frame",
    "second": "Features of the second frame",
    "hidden": "Hidden state before the first update",
    "context": "Context",
}
SHOWN = 12
"""The number of channels of each output in the animation: every one would take ten megabytes."""


def draw(findings: Findings) -> Iterator[PictureFile]:
    """`features.png`, a sheet of all channels, and `features.gif`, those that vary most smoothly one after another."""
    maps = feature_maps(findings.observation)
    blocks = [sheet(TITLES[name], values) for name, values in maps.items()]
    notes = ["The number of a row is that of its first channel.", findings.story["encode"]]
    yield PictureFile("features.png", [as_figure("features", column(blocks, gap=22), notes=notes)])
    chosen = {name: smoothest(values)[:SHOWN] for name, values in maps.items()}
    chosen["second"] = chosen["first"]
    images = [channels_at(maps, chosen, place) for place in range(min(map(len, chosen.values())))]
    yield PictureFile("features.gif", images, hold=0.5)


def sheet(name: str, values: Map) -> Image:
    """All channels of one output as thumbnails, every row with the number of its first channel."""
    thumbs = [fitted(spread(channel), *THUMB, smooth=False) for channel in values]
    rows = [
        row([line(str(start), size=14, bold=True, width=34), *thumbs[start : start + ACROSS]], gap=4)
        for start in range(0, len(thumbs), ACROSS)
    ]
    return titled(column(rows, gap=4), name, f"{len(values)} channels", size=CLEAR)


def channels_at(maps: dict[str, Map], chosen: dict[str, tuple[int, ...]], place: int) -> Image:
    """The channel of every output that comes at a place of those chosen."""
    panels = []
    for name, values in maps.items():
        channel = chosen[name][place]
        shown = values[channel]
        panel = enlarged(spread(shown), max(1, PANEL // max(shown.shape)))
        note = f"channel {channel}: {decimal(shown.min())} to {decimal(shown.max())}"
        panels.append(titled(panel, TITLES[name], note))
    about = f"smoothest channels, {place + 1} of {len(chosen['first'])}"
    return as_figure("features", column([row(panels[:2]), row(panels[2:])]), about=about)
