"""Plans a run and estimates its duration; writes nothing."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import cycle, islice
from typing import TYPE_CHECKING

from flowcli.errors import DeviceError
from flowcli.flow.colour import parse_mode, parse_scale, plain_scale
from flowcli.flow.outputs import check_outputs
from flowcli.media.frames import FramePair
from flowcli.media.pairs import pairs_in
from flowcli.model.memory_plan import amount
from flowcli.model.quality import QUALITIES
from flowcli.pipeline.pair import read_pair
from flowcli.pipeline.settings import estimator_of, fix_settings, pairing_of, settings_record
from flowcli.pipeline.task import Task
from flowcli.pipeline.video import source_of
from flowcli.system.json_text import json_text
from flowcli.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from flowcli.media.frames import VideoMeta
    from flowcli.model.estimator import FlowEstimator
    from flowcli.model.weights import Weights
    from flowcli.pipeline.request import Request
    from raft_core.raft import RAFT

SAMPLED_PAIRS = 3
"""How many pairs, spread over a video, are computed to estimate its time."""


@dataclass(frozen=True)
class DryRun:
    """The plan of a run.

    `meta` describes the selected frames; `computed` is the size (width, height) at which they are computed, padding
    included, using `memory_bytes`. `flows` is None if the number of frames is unknown. `others` has other qualities'
    seconds per flow.
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
    others: Mapping[str, float]
    outputs: tuple[Path, ...]

    @property
    def seconds(self) -> float | None:
        """The estimated time for all flows; None if their number is unknown."""
        return None if self.flows is None else self.flows * self.seconds_per_flow

    def facts(self) -> dict[str, str]:
        """The plan as a list of named facts."""
        meta, settings = self.meta, self.settings
        frames = "unknown" if meta.frame_count is None else f"{'' if meta.counted else 'about '}{meta.frame_count}"
        computed = "{} x {}".format(*self.computed)
        shown = {} if meta.levels is None else {"levels": f"{meta.levels} are shown as black to white"}
        return {
            "frames": frames,
            "flows": "unknown" if self.flows is None else str(self.flows),
            "size": f"{meta.width} x {meta.height}, computed at {computed}",
            **shown,
            "correlation": f"{settings['correlation']}; computing takes {amount(self.memory_bytes)}",
            "device": f"{settings['device']}, {settings['precision']}, batch {settings['batch']}",
            "weights": self.weights.name,
            "time": self.time(self.seconds_per_flow),
            **{f"at {name}": self.time(seconds) for name, seconds in self.others.items()},
            "writes": ", ".join(str(path) for path in self.outputs),
        }

    def time(self, seconds_per_flow: float) -> str:
        """The time per flow, and in total if the number of flows is known, in words."""
        each = f"{seconds_per_flow:.2g} s per flow"
        return each if self.flows is None else f"{each}, about {duration(self.flows * seconds_per_flow)} in total"

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
            "seconds_per_flow_at_other_qualities": {name: round(seconds, 4) for name, seconds in self.others.items()},
            "seconds": None if self.seconds is None else round(self.seconds, 2),
            "outputs": [str(path.absolute()) for path in self.outputs],
        }
        return json_text(content)


def plan_video(request: Request) -> DryRun:
    """The plan of `flowcli video`; raises the errors that the run would raise before it computes."""
    task = Task.of(request)
    with source_of(request) as source:
        task = task.of_images(source.meta.names)
        check_outputs(task.outputs, request.inputs, overwrite=request.overwrite)
        pairing = pairing_of(request)
        sampled = source.sample_pairs(count=SAMPLED_PAIRS, skip=pairing.frames_apart(source.meta))
        # After sampling, which a pipe allows only before its frames are read.
        if next(pairs_in(source, pairing), None) is None:
            raise pairing.too_short(task.path)
        return plan("video", task, source.meta, sampled)


def plan_pair(request: Request) -> DryRun:
    """The plan of `flowcli pair`; raises the errors that the run would raise before it computes."""
    task = Task.of(request, video=False)
    pair, meta = read_pair(request)
    check_outputs(task.outputs, request.inputs, overwrite=request.overwrite)
    return plan("pair", task, meta, [pair])


def plan(command: str, task: Task, meta: VideoMeta, pairs: list[FramePair]) -> DryRun:
    """Plans a task from its metadata and sampled pairs, which are computed to measure the time per flow.

    Raises SourceError if there are none.
    """
    request = task.request
    if not pairs:
        raise pairing_of(request).too_short(task.path)
    estimator = estimator_of(request, task.weights, saved=task.saved)
    fix_settings(estimator, (meta.width, meta.height), None)
    parse_mode(request.scale_mode, request.max_flow)
    scale = parse_scale(request.max_flow, plain_scale(request.gamma, request.background, request.wheel))
    memory_plan = estimator.plan(meta.height, meta.width)
    flows = pairing_of(request).flows_of(meta)
    return DryRun(
        command=command,
        inputs=request.inputs,
        meta=meta,
        computed=estimator.computed_size(meta.width, meta.height),
        memory_bytes=memory_plan.bytes,
        weights=task.weights,
        settings=settings_record(request, estimator, size=(meta.width, meta.height), scale=scale),
        flows=flows,
        seconds_per_flow=seconds_per_flow(estimator, pairs, flows=flows),
        others=seconds_of_others(task, estimator.model, pairs, flows=flows),
        outputs=(*(output.path for output in task.outputs), task.report),
    )


def seconds_of_others(task: Task, model: RAFT, pairs: Sequence[FramePair], *, flows: int | None) -> dict[str, float]:
    """The seconds per flow of the qualities that were not requested and fit into memory, with all other options.

    One pair is enough to compare them. Leaves out `exact`, which would take long to measure.
    """
    found = {}
    pair = pairs[len(pairs) // 2]
    height, width = pair.first.image.shape[:2]
    for quality in QUALITIES.keys() - {task.request.quality, "exact"}:
        request = replace(task.request, quality=quality)
        estimator = estimator_of(request, task.weights, saved=task.saved, model=model)
        with suppress(DeviceError):
            fix_settings(estimator, (width, height), None)
            (batch,) = planned_batches(estimator, [pair], flows=flows)
            found[quality] = seconds_of(estimator, batch)
    return dict(sorted(found.items(), key=lambda item: item[1]))


def seconds_per_flow(estimator: FlowEstimator, pairs: Sequence[FramePair], *, flows: int | None = None) -> float:
    """The mean time to compute one of the pairs, of which there is at least one, in a run of so many flows.

    The first batch is computed twice, as its first time includes initialisation.
    """
    batches = planned_batches(estimator, pairs, flows=flows)
    seconds_of(estimator, batches[0])
    return sum(seconds_of(estimator, batch) for batch in batches) / len(batches)


def planned_batches(
    estimator: FlowEstimator, pairs: Sequence[FramePair], *, flows: int | None
) -> list[list[FramePair]]:
    """Whole batches, as the estimator plans them for so many flows, that hold the pairs in turn, each once or more.

    Pairs of a batch are computed together, in less time than one by one.
    """
    height, width = pairs[0].first.image.shape[:2]
    batch = estimator.plan(height, width).batch
    batch = batch if flows is None else max(1, min(batch, flows))
    turns = cycle(pairs)
    return [
        [
            # Frames with indices of their own, so that none is taken for another pair's.
            FramePair(replace(pair.first, index=2 * n), replace(pair.second, index=2 * n + 1), continues=n > 0)
            for n, pair in enumerate(islice(turns, batch))
        ]
        for _ in range(math.ceil(len(pairs) / batch))
    ]


def seconds_of(estimator: FlowEstimator, batch: Sequence[FramePair]) -> float:
    """The mean time to compute a pair of one batch."""
    started = time.monotonic()
    for estimate in estimator.estimate(batch):
        _ = estimate.flow  # blocks until the device is done
    return (time.monotonic() - started) / len(batch)


def duration(seconds: float) -> str:
    """A duration in words: seconds up to 99 s, then minutes, then hours and minutes."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
