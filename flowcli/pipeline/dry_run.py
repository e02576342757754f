"""What a run would do, and about how long it would take; nothing is written."""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING

from flowcli.flow.outputs import check_outputs, report_path
from flowcli.media.frames import VideoMeta
from flowcli.media.pairs import expected_pairs, pair_up
from flowcli.model.memory import Memory
from flowcli.model.memory_plan import amount
from flowcli.model.weights import find
from flowcli.pipeline.pair import read_pair
from flowcli.pipeline.run import Run, too_short
from flowcli.pipeline.task import planned_outputs
from flowcli.pipeline.video import opened_source
from flowcli.system.json_text import json_text
from flowcli.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from flowcli.media.frames import FramePair
    from flowcli.model.estimator import FlowEstimator
    from flowcli.model.weights import Weights
    from flowcli.pipeline.request import Request


@dataclass(frozen=True)
class Rehearsal:
    """A run that was only planned.

    `meta` is of the selected frames; they are computed at `computed` (width, height), padding included, which takes
    `memory_bytes`. `flows` is None where the number of frames is unknown.
    """

    command: str
    inputs: tuple[Path, ...]
    meta: VideoMeta
    computed: tuple[int, int]
    memory_bytes: int
    weights: Weights
    settings: Mapping[str, object]
    flows: int | None
    seconds_per_flow: float
    outputs: tuple[Path, ...]

    @property
    def seconds(self) -> float | None:
        """How long all flows take, where their number is known."""
        return None if self.flows is None else self.flows * self.seconds_per_flow

    def facts(self) -> dict[str, str]:
        """The plan for people."""
        meta, settings = self.meta, self.settings
        frames = "unknown" if meta.frame_count is None else f"{meta.frame_count}{'' if meta.counted else ' or so'}"
        computed = "{} x {}".format(*self.computed)
        time = f"{self.seconds_per_flow:.2g} s per flow"
        return {
            "frames": frames,
            "flows": "unknown" if self.flows is None else str(self.flows),
            "size": f"{meta.width} x {meta.height}, computed at {computed}",
            "correlation": f"{settings['correlation']}; computing takes {amount(self.memory_bytes)}",
            "device": f"{settings['device']}, {settings['precision']}, batch {settings['batch']}",
            "weights": self.weights.name,
            "time": time if self.seconds is None else f"{time}, about {duration(self.seconds)} in all",
            "writes": ", ".join(str(path) for path in self.outputs),
        }

    def text(self) -> str:
        """The plan as JSON."""
        meta = self.meta
        content = {
            "flowcli": __version__,
            "command": self.command,
            "dry_run": True,
            "inputs": [str(path.absolute()) for path in self.inputs],
            "width": meta.width,
            "height": meta.height,
            "computed_width": self.computed[0],
            "computed_height": self.computed[1],
            "weights": {"name": self.weights.name, "sha256": self.weights.sha256},
            "settings": dict(self.settings),
            "frames": meta.frame_count,
            "frames_counted": meta.counted,
            "flows": self.flows,
            "start": str(meta.start),
            "memory_bytes": self.memory_bytes,
            "seconds_per_flow": round(self.seconds_per_flow, 4),
            "seconds": None if self.seconds is None else round(self.seconds, 2),
            "outputs": [str(path.absolute()) for path in self.outputs],
        }
        return json_text(content)


def rehearse_video(request: Request) -> Rehearsal:
    """What `flowcli video` would do; what it would refuse is refused here too."""
    with opened_source(request) as source:
        outputs = planned_outputs(request, video=True)
        check_outputs(outputs, request.inputs, overwrite=request.overwrite)
        run = Run(request, outputs, find(request.weights), (source.meta.width, source.meta.height))
        pairs = pair_up(source.frames(), skip=request.skip, sliding=request.sliding)
        return rehearse("video", run, source.meta, list(islice(pairs, 2)))


def rehearse_pair(request: Request) -> Rehearsal:
    """What `flowcli pair` would do; what it would refuse is refused here too."""
    outputs = planned_outputs(request, video=False)
    pair = read_pair(request)
    check_outputs(outputs, request.inputs, overwrite=request.overwrite)
    height, width = pair.first.image.shape[:2]
    run = Run(request, outputs, find(request.weights), (width, height))
    meta = VideoMeta(request.inputs[0].name, width, height, Fraction(1), frame_count=2, counted=True)
    return rehearse("pair", run, meta, [pair, pair])


def rehearse(command: str, run: Run, meta: VideoMeta, pairs: list[FramePair]) -> Rehearsal:
    """Plans a run, of which these are the first `pairs`."""
    if not pairs:
        raise too_short(run.request)
    plan = run.estimator.plan(meta.height, meta.width)
    return Rehearsal(
        command=command,
        inputs=run.request.inputs,
        meta=meta,
        computed=run.estimator.computed_size(meta.width, meta.height),
        memory_bytes=plan.bytes,
        weights=run.weights,
        settings=run.settings(),
        flows=expected_pairs(meta.frame_count, skip=run.request.skip, sliding=run.request.sliding),
        seconds_per_flow=seconds_of_last(run.estimator, pairs),
        outputs=(
            *(output.path for output in run.outputs),
            report_path(run.outputs, run.request.inputs[0], name=run.request.name),
        ),
    )


def seconds_of_last(estimator: FlowEstimator, pairs: Iterable[FramePair]) -> float:
    """How long the last of the pairs took: the first one also pays for what is done once."""
    seconds = 0.0
    memory = Memory()
    for pair in pairs:
        started = time.monotonic()
        for estimate in estimator.estimate([pair], memory=memory):
            _ = estimate.flow  # waits for the device
        seconds = time.monotonic() - started
    return seconds


def duration(seconds: float) -> str:
    """A length of time for people."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
