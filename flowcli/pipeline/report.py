"""NAME_flow.json: the report of one run."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from flowcli.errors import PartialError
from flowcli.media.frames import lost_frames
from flowcli.system.json_text import Json
from flowcli.system.opencv import cv2
from flowcli.system.versions import version_of
from flowcli.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from flowcli.flow.estimate import Stamp
    from flowcli.media.levels import Levels
    from flowcli.model.weights import Weights


@dataclass(frozen=True)
class Report:
    """The facts of one run.

    `settings` are as resolved. `pairs` are in order, their times relative to `start`, the time of the first selected
    frame in the source. `levels` are the stored values shown as black and white, None for the full range.
    `photometric_error` is the mean before and after warping, in grey levels.
    """

    command: str
    inputs: tuple[Path, ...]
    size: tuple[int, int]
    weights: Weights
    job: Mapping[str, object]
    settings: Mapping[str, object]
    pairs: tuple[Stamp, ...]
    outputs: tuple[Path, ...]
    seconds: float
    start: Fraction
    notes: tuple[str, ...]
    lost_frames: int
    input_changed: bool
    photometric_error: tuple[float, float] | None
    levels: Levels | None = None

    def json(self) -> Json:
        """The content of NAME_flow.json."""
        before, after = self.photometric_error or (None, None)
        content = {
            "flowcli": __version__,
            "command": self.command,
            "inputs": [str(path.absolute()) for path in self.inputs],
            "width": self.size[0],
            "height": self.size[1],
            "weights": {"name": self.weights.name, "sha256": self.weights.sha256},
            "settings": dict(self.settings),
            "job": dict(self.job),
            "flows": len(self.pairs),
            "start": str(self.start),
            "levels": None if self.levels is None else [self.levels.low, self.levels.high],
            "notes": list(self.notes),
            "lost_frames": self.lost_frames,
            "input_changed": self.input_changed,
            "photometric_error": {"unit": "grey levels", "before": before, "after": after},
            "seconds": round(self.seconds, 3),
            "outputs": [str(path.absolute()) for path in self.outputs],
            "versions": {
                "python": platform.python_version(),
                **{name: version_of(name) for name in ("torch", "numpy", "av")},
                "opencv": cv2.__version__,
            },
            "pairs": [pair.record() for pair in self.pairs],
        }
        return Json(content)


def problem_of(report: Mapping[str, Any], path: Path) -> PartialError | None:
    """The error of a run that is only partly done, from its report and the path of its input; None if it is complete.

    A run is partial if its input changed meanwhile, frames were lost, or flow is not finite.
    """
    if report.get("input_changed"):
        return PartialError(
            f"{path} changed while its flow was computed",
            hint="the flow may be of what it was before and after; compute it again with -y",
        )
    if report["lost_frames"]:
        return lost_frames(
            path, report["lost_frames"], hint="the flow from and to lost frames is missing; the rest is written"
        )
    unknown = sum(not pair["finite"] for pair in report["pairs"])
    if unknown:
        return PartialError(
            f"the flow of {unknown} pair{'s' * (unknown != 1)} of {path} is not finite everywhere",
            hint="try other --weights, or --precision fp32; the rest is written",
        )
    return None
