"""Plans a batch and estimates its duration; writes nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from flowcli.errors import FlowcliError
from flowcli.flow.outputs import check_outputs, choose
from flowcli.model.weights import find, load
from flowcli.pipeline.dry_run import SAMPLED_PAIRS, seconds_per_flow
from flowcli.pipeline.segments import check_journal
from flowcli.pipeline.settings import estimator_of, fix_settings, pairing_of
from flowcli.pipeline.task import Task
from flowcli.pipeline.video import source_of
from flowcli.system.json_text import json_text
from flowcli.system.terminal import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from flowcli.batch.clips import Clip
    from flowcli.media.sources import Source
    from flowcli.model.weights import Weights
    from flowcli.pipeline.request import Request
    from raft_core.raft import RAFT


@dataclass(frozen=True)
class ClipPlan:
    """A clip as its container describes it; unknown values are None; `error` states why it cannot be computed.

    `seconds` is the length of the clip, `computing_seconds` the estimated time to compute its flow with one worker: 0
    for a clip that an earlier run `finished`.
    """

    clip: str
    frames: int | None
    pairs: int | None
    seconds: float | None
    size_bytes: int
    error: str | None = None
    computing_seconds: float | None = None
    finished: bool = False

    def row(self) -> list[str]:
        """The clip as a row of a table."""
        size = f"{self.size_bytes / 1e6:.1f}"
        computing = "finished" if self.finished else shown_time(self.computing_seconds)
        return [
            self.clip,
            shown(self.frames),
            shown(self.pairs),
            shown_time(self.seconds),
            computing,
            size,
            self.error or "",
        ]


@dataclass(frozen=True)
class BatchPlan:
    """The plans of all clips of a batch."""

    clips: Sequence[ClipPlan]

    @classmethod
    def of(cls, clips: Sequence[Clip], request: Request, folder: Path) -> BatchPlan:
        """Opens every clip once; one that cannot be computed, or written below `folder`, has its error in its plan."""
        weights = find(request.weights)
        speed = Speed(load(weights))
        return cls([plan_clip(clip, clip.own_request(request, folder), weights, speed) for clip in clips])

    def rows(self) -> list[list[str]]:
        """A header, a row for each clip, and the totals."""
        header = ["clip", "frames", "flows", "length", "computing", "MB", "problem"]
        return [header, *(clip.row() for clip in [*self.clips, self.total()])]

    def total(self) -> ClipPlan:
        """The sums over all clips, in which unknown values count as 0."""
        faulty = sum(clip.error is not None for clip in self.clips)
        return ClipPlan(
            counted(len(self.clips), "clip"),
            sum(clip.frames or 0 for clip in self.clips),
            sum(clip.pairs or 0 for clip in self.clips),
            sum(clip.seconds or 0 for clip in self.clips),
            sum(clip.size_bytes for clip in self.clips),
            f"{faulty} cannot be computed" if faulty else None,
            sum(clip.computing_seconds or 0 for clip in self.clips),
        )

    def text(self) -> str:
        """The plan as JSON."""
        return json_text({"total": asdict(self.total()), "clips": [asdict(clip) for clip in self.clips]})


@dataclass(frozen=True)
class Speed:
    """Measures the time per flow, once for all clips of one size and the same options."""

    model: RAFT
    measured: dict[tuple[object, ...], float] = field(default_factory=dict)

    def of(self, request: Request, source: Source) -> float | None:
        """The seconds per flow of an open clip; None if no pair of it can be read."""
        meta = source.meta
        key = (meta.width, meta.height, replace(request, inputs=(), output=None, name=None))
        if key not in self.measured:
            pairs = source.sample_pairs(count=SAMPLED_PAIRS, skip=pairing_of(request).frames_apart(meta))
            if not pairs:
                return None
            estimator = estimator_of(request, find(request.weights), saved=choose(request.save), model=self.model)
            fix_settings(estimator, (meta.width, meta.height), None)
            self.measured[key] = seconds_per_flow(estimator, pairs)
        return self.measured[key]


def plan_clip(clip: Clip, request: Request, weights: Weights, speed: Speed) -> ClipPlan:
    """The plan of one clip with its own request."""
    size_bytes = sum(file.stat().st_size for path in clip.inputs for file in files_of(path))
    try:
        with source_of(request) as source:
            count, rate = source.meta.frame_count, source.meta.rate
            flows = pairing_of(request).flows_of(source.meta)
            finished = is_finished(clip, request, weights, images=source.meta.names)
            each = 0.0 if finished else speed.of(request, source) if flows else None
        seconds = None if count is None else float(count / rate)
        computing = None if flows is None or each is None else flows * each
        return ClipPlan(clip.key, count, flows, seconds, size_bytes, None, computing, finished)
    except FlowcliError as error:
        return ClipPlan(clip.key, None, None, None, size_bytes, str(error))


def is_finished(clip: Clip, request: Request, weights: Weights, *, images: tuple[str, ...]) -> bool:
    """Whether an earlier run finished this clip, of images with these names if it has any.

    Raises UsageError for an unfinished run of another job, and for outputs that must not be overwritten.
    """
    if request.output is None or not request.output.is_dir():
        return False
    task = Task.of(request, video=clip.second is None, weights=weights)
    if task.report.exists() and task.finished():
        return True
    # A job is the content of whole inputs.
    resumes = task.journal.exists() and check_journal(task.journal, task.job, resume=True, overwrite=request.overwrite)
    check_outputs(task.of_images(images).outputs, request.inputs, overwrite=request.overwrite or resumes)
    return False


def files_of(path: Path) -> list[Path]:
    """The files that a clip consists of."""
    files = path.iterdir() if path.is_dir() else [path]
    return [file for file in files if file.is_file()]


def shown(number: int | None) -> str:
    """A number, or a dash if it is unknown."""
    return "–" if number is None else str(number)


def shown_time(seconds: float | None) -> str:
    """A duration as H:MM:SS.S, or a dash if it is unknown."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes) // 60}:{int(minutes) % 60:02d}:{rest:04.1f}"
