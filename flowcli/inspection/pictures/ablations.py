"""Draws the flow of runs with parts of RAFT switched off beside that of the full model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcli.flow.colour import colour_flow
from flowcli.inspection.canvas import CLEAR, INK, SERIES, beside, column, fitted, framed, tiled, titled
from flowcli.inspection.chart import Line, chart
from flowcli.inspection.figures import as_figure
from flowcli.inspection.picture import PictureFile
from flowcli.inspection.story import capital

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from jaxtyping import Float
    from numpy.typing import NDArray

    from flowcli.inspection.canvas import Image
    from flowcli.inspection.findings import Findings

    Flow = Float[NDArray[np.float32], "height width 2"]

PANEL = (480, 360)
HEIGHT = 260
"""The height of the chart, in px."""
FAR = 10
"""A curve this many times as high as the lowest one would flatten the others, and is named instead of drawn."""


def draw(findings: Findings) -> Iterator[PictureFile]:
    """`ablations.png`: the last flow of every run, and its error, or its distance from the full model's, by update."""
    if not findings.ablations:
        return
    errors = findings.errors
    note = f"mean error {errors[-1]:.2f} px" if errors is not None else ""
    panels = [panel(findings, findings.observation.flow, "The full model", note)]
    lines = [Line("full", errors.tolist(), INK)] if errors is not None else []
    for number, ablation in enumerate(findings.ablations):
        values = ablation.changes if ablation.errors is None else ablation.errors
        kind = "mean change" if ablation.errors is None else "mean error"
        panels.append(panel(findings, ablation.flow, capital(ablation.switches.title), f"{kind} {values[-1]:.2f} px"))
        name = ablation.switches.title.removeprefix("without ")
        lines.append(Line(name, values.tolist(), SERIES[number % len(SERIES)]))
    usual = [line for line in lines if max(line.values) <= FAR * min(max(line.values) for line in lines)]
    far = ", ".join(line.name for line in lines if line not in usual)
    title = "Mean distance from the full model's flow" if errors is None else "Mean end-point error"
    grid = findings.observation.grid
    sheet = tiled(panels, columns=beside(grid.width, grid.height, usual=3 if len(panels) > 4 else 2))
    drawn = chart(usual, iterations=findings.iterations, floor=0, size=(max(sheet.shape[1], PANEL[0]), HEIGHT))
    image = column([sheet, titled(drawn, title, "px" + f"; beyond the chart: {far}" * bool(far), size=CLEAR)], gap=18)
    yield PictureFile("ablations.png", [as_figure("ablations", image)])


def panel(findings: Findings, flow: Flow, title: str, note: str) -> Image:
    """A flow in colours."""
    return titled(framed(fitted(colour_flow(flow, scale=findings.scale), *PANEL)), title, note, size=CLEAR)
