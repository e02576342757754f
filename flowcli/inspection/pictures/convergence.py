"""Draws the convergence of the flow over the updates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.inspection.canvas import CLEAR, INK, SERIES, decimal, tiled, titled
from flowcli.inspection.chart import Line, chart
from flowcli.inspection.figures import as_figure
from flowcli.inspection.loss import LOSS_DECAY
from flowcli.inspection.picture import PictureFile
from raft_core.raft import MOVING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowcli.inspection.findings import Findings


def draw(findings: Findings) -> Iterator[PictureFile]:
    """`convergence.png`: mean update, flow of every pixel's cell, error or else fast updates, and loss weights."""
    total = findings.iterations
    panels = [
        titled(
            chart([Line("", findings.mean_updates.tolist(), INK)], iterations=total, floor=0),
            "Mean length of the update",
            "px, over the frame",
            size=CLEAR,
        )
    ]
    start = "the warm start" if findings.observation.warm else "0"
    for axis, name in enumerate(("u, to the right", "v, down")):
        lines = []
        for number, reading in enumerate(findings.readings):
            before = 8 * (reading.coarse_flow[0][axis] - reading.deltas[0][axis])
            values = [float(before), *(8 * reading.coarse_flow[:, axis]).tolist()]
            label = f"{number + 1}: {decimal(values[-1], 1, sign=True)}"
            lines.append(Line(label, values, SERIES[number % len(SERIES)], start=0))
        if lines:
            title = f"Flow of the pixels' cells: {name}"
            panels.append(titled(chart(lines, iterations=total), title, f"px, accumulating from {start}", size=CLEAR))
    if findings.errors is not None:
        measured, title, unit = findings.errors, "End-point error", "px, mean over the frame"
    else:
        measured, title, unit = (
            findings.fast_updates,
            "Update of the fastest cells",
            f"px, {100 - 100 * MOVING:.0f} % move less",
        )
    curve = chart([Line("", measured.tolist(), INK)], iterations=total, floor=0)
    panels.append(titled(curve, title, unit, size=CLEAR))
    weights = Line("", findings.loss_weights.tolist(), INK)
    panels.append(
        titled(
            chart([weights], iterations=total, floor=0),
            "Weight in RAFT's training loss",
            f"{LOSS_DECAY}^(N - i) for update i of N",
            size=CLEAR,
        )
    )
    shares = Line("", np.cumsum(findings.loss_shares).tolist(), INK)
    curve = chart([shares], iterations=total, floor=0)
    panels.append(titled(curve, "Share of the loss's weight", "updates 1 to i", size=CLEAR))
    notes = [findings.story["update"], findings.story["loss"]]
    yield PictureFile("convergence.png", [as_figure("convergence", tiled(panels, columns=3, gap=22), notes=notes)])
