"""Estimates the flow of the built-in demo clip and scores it against the clip's ground truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from flowcli.evaluation.methods import dis
from flowcli.flow.colour import ColourScale, colour_flow, magnitude
from flowcli.flow.drawing import labelled_row
from flowcli.media.demo_clip import fan_flow
from flowcli.media.demo_clip.source import FanSource
from flowcli.media.pyav import VideoWriter
from flowcli.pipeline.task import Task
from flowcli.pipeline.video import estimate_video
from flowcli.system.opencv import write_png

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from flowcli.flow.estimate import Estimate
    from flowcli.media.frames import Frame, VideoMeta
    from flowcli.pipeline.request import Request
    from flowcli.system.console import Console, Result


@dataclass(frozen=True)
class Demonstration:
    """The result of the run, with all files, and the mean endpoint errors of flowcli and of DIS in px."""

    result: Result
    ours: float
    dis: float


def demonstrate(request: Request, console: Console) -> Demonstration:
    """Estimates the flow of the turning fan, writes the outputs, and scores every pair."""
    task, source = Task.of(request), FanSource()
    folder = task.paths[0].parent
    score, clip = Score(), Clip(folder, source.meta)
    # Their names are common: what the user has there stays, and so does the same clip of an earlier demo.
    clips = [] if any(path.exists() for path in clip.outputs) else [clip]
    result = estimate_video(task, console, source=source, watchers=[score, *clips])
    picture = folder / "fan_compared.png"
    write_png(picture, score.picture())
    result = replace(result, outputs=(*result.outputs, picture, *(path for each in clips for path in each.outputs)))
    return Demonstration(result, float(np.mean(score.ours)), float(np.mean(score.dis)))


class Clip:
    """Writes the frames of all pairs as `in.mp4`, and those of the first pair as `a.png` and `b.png`; a writer.

    These are the names in the examples of the README and of every help.
    """

    def __init__(self, folder: Path, meta: VideoMeta) -> None:
        self.outputs = [folder / name for name in ("in.mp4", "a.png", "b.png")]
        self._video = VideoWriter(self.outputs[0], rate=meta.rate, tick=meta.tick)
        self._last: Frame | None = None

    def write(self, estimate: Estimate, /) -> None:
        """Adds the first frame of a pair."""
        pair = estimate.pair
        if self._last is None:
            write_png(self.outputs[1], pair.first.image)
            write_png(self.outputs[2], pair.second.image)
        self._video.write(pair.first.image, time=pair.first.time)
        self._last = pair.second

    def close(self) -> None:
        """Adds the last frame, and completes the video."""
        if self._last is not None:
            self._video.write(self._last.image, time=self._last.time)
        self._video.close()

    def abort(self) -> None:
        """Removes the video."""
        self._video.abort()

    def finish_partial(self) -> Path | None:
        """Completes the video as a partial one."""
        return self._video.finish_partial()


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
