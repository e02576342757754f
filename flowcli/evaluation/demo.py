"""The main job on a clip that needs no file, scored against the clip's exact truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flowcli.evaluation.methods import dis
from flowcli.flow.colour import ColourScale, colour_flow, magnitude
from flowcli.flow.drawing import labelled_row
from flowcli.media.demo_clip import fan_flow
from flowcli.media.demo_clip.source import FanSource
from flowcli.pipeline.task import Task
from flowcli.pipeline.video import estimate_video
from flowcli.system.opencv import write_png

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from flowcli.flow.estimate import Estimate
    from flowcli.media.frames import Frame
    from flowcli.pipeline.request import Request
    from flowcli.system.console import Console, Result


@dataclass(frozen=True)
class Demonstration:
    """What the demo made: the run, the mean endpoint error of ours and of DIS in px, and the comparison picture."""

    result: Result
    ours: float
    dis: float
    picture: Path


def demonstrate(request: Request, console: Console) -> Demonstration:
    """Computes the flow of the turning fan, writes it, and scores it."""
    score = Score()
    result = estimate_video(Task.of(request), console, source=FanSource(), watchers=[score])
    picture = result.outputs[0].with_name("fan_compared.png")
    write_png(picture, score.picture())
    return Demonstration(result, float(np.mean(score.ours)), float(np.mean(score.dis)), picture)


class Score:
    """Compares every estimate with the truth, and DIS beside it; takes estimates as a sink does."""

    def __init__(self) -> None:
        self.ours: list[float] = []
        self.dis: list[float] = []
        self._last: Estimate | None = None

    def write(self, estimate: Estimate, /) -> None:
        """Scores one pair over all its pixels."""
        pair = estimate.pair
        truth = truth_of(pair.first)
        self.ours.append(endpoint_error(estimate.flow, truth))
        self.dis.append(endpoint_error(dis(pair.first.image, pair.second.image), truth))
        self._last = estimate

    def picture(self) -> NDArray[np.uint8]:
        """The last frame beside its true flow, ours and DIS's, in one colour scale."""
        if self._last is None:
            raise ValueError("nothing has been scored yet")
        first, second = self._last.pair.first, self._last.pair.second
        truth = truth_of(first)
        scale = ColourScale.covering([magnitude(truth)])
        flows = {"flowcli": self._last.flow, "truth": truth, "OpenCV DIS": dis(first.image, second.image)}
        panels = {name: colour_flow(flow, scale=scale) for name, flow in flows.items()}
        return labelled_row({"frame": first.image, **panels})

    def close(self) -> None:
        """Nothing to complete."""

    def abort(self) -> None:
        """Nothing to remove."""

    def finish_partial(self) -> Path | None:
        """Nothing to keep."""
        return None


def truth_of(frame: Frame) -> NDArray[np.float32]:
    """The true flow (height, width, 2) from a frame of the demo clip to the next, in px."""
    height, width = frame.image.shape[:2]
    return fan_flow(frame.index, height=height, width=width).flow


def endpoint_error(flow: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    """The mean distance between where two flows lead, in px."""
    return float(np.linalg.norm(flow - truth, axis=2).mean())
