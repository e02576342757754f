"""Estimates the flow of the built-in demo clip and scores it against the clip's ground truth."""

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
    """The result of the run, the mean endpoint errors of flowcli and of DIS in px, and the comparison picture."""

    result: Result
    ours: float
    dis: float
    picture: Path


def demonstrate(request: Request, console: Console) -> Demonstration:
    """Estimates the flow of the turning fan, writes the outputs, and scores every pair."""
    score = Score()
    result = estimate_video(Task.of(request), console, source=FanSource(), watchers=[score])
    picture = result.outputs[0].with_name("fan_compared.png")
    write_png(picture, score.picture())
    return Demonstration(result, float(np.mean(score.ours)), float(np.mean(score.dis)), picture)


class Score:
    """Scores every estimate, and DIS on the same pair, against the ground truth; has the interface of a writer."""

    def __init__(self) -> None:
        self.ours: list[float] = []
        self.dis: list[float] = []
        self._last: Estimate | None = None

    def write(self, estimate: Estimate, /) -> None:
        """Scores one pair over all its pixels."""
        pair = estimate.pair
        ground_truth = ground_truth_of(pair.first)
        self.ours.append(endpoint_error(estimate.flow, ground_truth))
        self.dis.append(endpoint_error(dis(pair.first.image, pair.second.image), ground_truth))
        self._last = estimate

    def picture(self) -> NDArray[np.uint8]:
        """A picture of the last pair: the frame, flowcli's flow, ground truth and DIS's flow, on one colour scale."""
        if self._last is None:
            raise ValueError("nothing has been scored yet")
        first, second = self._last.pair.first, self._last.pair.second
        ground_truth = ground_truth_of(first)
        scale = ColourScale.covering([magnitude(ground_truth)])
        flows = {"flowcli": self._last.flow, "ground truth": ground_truth, "OpenCV DIS": dis(first.image, second.image)}
        panels = {name: colour_flow(flow, scale=scale) for name, flow in flows.items()}
        return labelled_row({"frame": first.image, **panels})

    def close(self) -> None:
        """Nothing to complete."""

    def abort(self) -> None:
        """Nothing to remove."""

    def finish_partial(self) -> Path | None:
        """Nothing to keep."""
        return None


def ground_truth_of(frame: Frame) -> NDArray[np.float32]:
    """The exact flow (height, width, 2) from a frame of the demo clip to the next, in px."""
    height, width = frame.image.shape[:2]
    return fan_flow(frame.index, height=height, width=width).flow


def endpoint_error(flow: NDArray[np.float32], ground_truth: NDArray[np.float32]) -> float:
    """The mean length of estimated minus true flow, in px."""
    return float(np.linalg.norm(flow - ground_truth, axis=2).mean())
