"""Draws the outputs of the encoders channel by channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.inspection.canvas import (
    OUTSIDE,
    blank,
    column,
    decimal,
    enlarged,
    fitted,
    line,
    row,
    spread,
    titled,
)
from flowcli.inspection.figures import as_figure
from flowcli.inspection.maps import feature_maps
from flowcli.inspection.picture import PictureFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowcli.inspection.canvas import Image, Map
    from flowcli.inspection.findings import Findings

ACROSS = 16
THUMB = (92, 92)
PANEL = 280
TITLES = {
    "first": "Features of the first frame",
    "second": "Features of the second frame",
    "hidden": "Hidden state before the first update",
    "context": "Context",
}
MOST_CHANNELS = 128
"""The maximum number of channels in the animation, as in the article."""


def draw(findings: Findings) -> Iterator[PictureFile]:
    """`features.png`, a sheet of all channels, and `features.gif`, one channel of all outputs at a time."""
    maps = {TITLES[name]: values for name, values in feature_maps(findings.observation).items()}
    blocks = [sheet(name, values) for name, values in maps.items()]
    notes = ["The number of a row is that of its first channel.", findings.story["encode"]]
    yield PictureFile("features.png", [as_figure("features", column(blocks, gap=22), notes=notes)])
    most = min(MOST_CHANNELS, max(len(values) for values in maps.values()))
    yield PictureFile("features.gif", [channel_of(maps, channel) for channel in range(most)], seconds=0.2, hold=0.5)


def sheet(name: str, values: Map) -> Image:
    """All channels of one output as thumbnails, every row with the number of its first channel."""
    thumbs = [fitted(spread(channel), *THUMB, smooth=False) for channel in values]
    rows = [
        row([line(str(start), size=14, bold=True, width=34), *thumbs[start : start + ACROSS]], gap=4)
        for start in range(0, len(thumbs), ACROSS)
    ]
    return titled(column(rows, gap=4), name, f"{len(values)} channels", size=15)


def channel_of(maps: dict[str, Map], channel: int) -> Image:
    """One channel of every output; a grey panel for an output that has no such channel."""
    panels = []
    for name, values in maps.items():
        factor = max(1, PANEL // max(values.shape[1:]))
        if channel < len(values):
            shown = values[channel]
            panel = enlarged(spread(shown), factor)
            note = f"{decimal(shown.min())} to {decimal(shown.max())}"
        else:
            panel = np.full_like(blank(values.shape[1] * factor, values.shape[2] * factor), OUTSIDE)
            note = "has no such channel"
        panels.append(titled(panel, name, note))
    return as_figure("features", column([row(panels[:2]), row(panels[2:])]), about=f"channel {channel}")
