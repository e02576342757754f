"""Plans a batch; computes and writes nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from flowcli.errors import FlowcliError
from flowcli.pipeline.settings import pairing_of
from flowcli.pipeline.video import source_of
from flowcli.system.json_text import json_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from flowcli.batch.clips import Clip
    from flowcli.pipeline.request import Request


@dataclass(frozen=True)
class ClipPlan:
    """A clip as its container describes it; unknown values are None; `error` states why it cannot be opened."""

    clip: str
    frames: int | None
    pairs: int | None
    seconds: float | None
    size_bytes: int
    error: str | None = None

    def row(self) -> list[str]:
        """The clip as a row of a table."""
        size = f"{self.size_bytes / 1e6:.1f}"
        return [self.clip, shown(self.frames), shown(self.pairs), shown_time(self.seconds), size, self.error or ""]


@dataclass(frozen=True)
class BatchPlan:
    """The plans of all clips of a batch."""

    clips: Sequence[ClipPlan]

    @classmethod
    def of(cls, clips: Sequence[Clip], request: Request) -> BatchPlan:
        """Opens every clip once; a clip that cannot be opened has its error in its plan."""
        return cls([plan_clip(clip, request) for clip in clips])

    def rows(self) -> list[list[str]]:
        """A header, a row for each clip, and the totals."""
        header = ["clip", "frames", "flows", "time", "MB", "problem"]
        return [header, *(clip.row() for clip in [*self.clips, self.total()])]

    def total(self) -> ClipPlan:
        """The sums over all clips, in which unknown values count as 0."""
        faulty = sum(clip.error is not None for clip in self.clips)
        return ClipPlan(
            f"{len(self.clips)} clips",
            sum(clip.frames or 0 for clip in self.clips),
            sum(clip.pairs or 0 for clip in self.clips),
            sum(clip.seconds or 0 for clip in self.clips),
            sum(clip.size_bytes for clip in self.clips),
            f"{faulty} cannot be opened" if faulty else None,
        )

    def text(self) -> str:
        """The plan as JSON."""
        return json_text({"total": asdict(self.total()), "clips": [asdict(clip) for clip in self.clips]})


def plan_clip(clip: Clip, request: Request) -> ClipPlan:
    """The plan of one clip."""
    size_bytes = sum(file.stat().st_size for path in clip.inputs for file in files_of(path))
    own = replace(request, inputs=clip.inputs, **clip.options)
    try:
        with source_of(own) as source:
            count, rate = source.meta.frame_count, source.meta.rate
            flows = pairing_of(own).flows_of(source.meta)
        seconds = None if count is None else float(count / rate)
        return ClipPlan(clip.key, count, flows, seconds, size_bytes)
    except FlowcliError as error:
        return ClipPlan(clip.key, None, None, None, size_bytes, str(error))


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
