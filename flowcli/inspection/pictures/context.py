"""Draws the hidden state and the context beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.inspection.canvas import CLEAR, column, decimal, fitted, row, spread, titled
from flowcli.inspection.channels import most_active
from flowcli.inspection.figures import as_figure
from flowcli.inspection.picture import PictureFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowcli.inspection.canvas import Image, Map
    from flowcli.inspection.findings import Findings

THUMB = (250, 200)


def draw(findings: Findings) -> Iterator[PictureFile]:
    """`context.png`: the most active channels of the hidden state, first and last, and of the context."""
    observation = findings.observation
    channels = most_active([observation.hidden])
    end = observation.updates[-1].hidden
    rows = [
        ("Hidden state before the first update", observation.hidden, channels),
        (f"The same channels after update {findings.iterations}", end, channels),
        ("Context, the same in every update", observation.context, most_active([observation.context])),
    ]
    visible = observation.grid.visible
    blocks = [
        titled(thumbs(values[:, *visible], shown), title, share(values), size=CLEAR) for title, values, shown in rows
    ]
    states = [observation.hidden, *(update.hidden for update in observation.updates)]
    first, last = (float(np.abs(after - before).mean()) for before, after in (states[:2], states[-2:]))
    note = f"An update changes a value of the hidden state by {first:.3f} on average at first, {last:.3f} at the end."
    yield PictureFile(
        "context.png", [as_figure("context", column(blocks, gap=16), notes=[findings.story["encode"], note])]
    )


def thumbs(values: Map, channels: tuple[int, ...]) -> Image:
    """The channels from left to right."""
    return row([titled(fitted(spread(values[c]), *THUMB, smooth=False), f"channel {c}") for c in channels], gap=8)


def share(values: Map) -> str:
    """The range of values, and the shares of negative and zero ones, as text."""
    negative, zero = (100 * float(part.mean()) for part in (values < 0, values == 0))
    span = f"{decimal(values.min())} to {decimal(values.max())}"
    return f"{span}; {negative:.0f} % of the values are negative, {zero:.0f} % are 0"
