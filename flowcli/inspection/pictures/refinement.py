"""Draws the refinement of flow at full resolution, which follows RAFT's last update."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.flow.colour import colour_flow
from flowcli.inspection.canvas import CLEAR, beside, fitted, framed, heat, tiled, titled
from flowcli.inspection.figures import as_figure
from flowcli.inspection.loss import mean_error
from flowcli.inspection.picture import PictureFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowcli.inspection.findings import Findings

PANEL = (560, 420)


def draw(findings: Findings) -> Iterator[PictureFile]:
    """`refinement.png`: the frame, the flow before and after refinement, and how far it moves."""
    observation, ground_truth, scale = findings.observation, findings.subject.ground_truth, findings.scale
    if observation.refined is None:
        return
    notes = ["upsampled from the 1/8 grid", "refined at full resolution"]
    if ground_truth is not None:
        flows = (observation.flow, observation.refined)
        errors = (f"mean error {mean_error(flow, ground_truth):.2f} px" for flow in flows)
        notes = [f"{note}; {error}" for note, error in zip(notes, errors, strict=True)]
    moved = np.linalg.norm(observation.refined - observation.flow, axis=2)
    most = max(float(np.quantile(moved, 0.99)), 1e-6)
    range_shown = f"0 to {most:.2f} px and more, {moved.mean():.2f} on average"
    shown = [
        (findings.subject.first, "First frame", "{} x {} px".format(*findings.subject.first.shape[1::-1])),
        (heat(moved, low=0, high=most), "How far the flow moves", range_shown),
        (colour_flow(observation.flow, scale=scale), "RAFT", notes[0]),
        (colour_flow(observation.refined, scale=scale), "RAFT and refinement", notes[1]),
    ]
    panels = [titled(framed(fitted(image, *PANEL)), title, note, size=CLEAR) for image, title, note in shown]
    columns = beside(observation.grid.width, observation.grid.height, usual=2)
    yield PictureFile("refinement.png", [as_figure("refinement", tiled(panels, columns=columns))])
