"""What a batch would have to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from flowcli.errors import FlowcliError
from flowcli.json_text import json_text
from flowcli.pipeline import expected_pairs, opened_source

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from flowcli.discovery import Clip
    from flowcli.request import Request


@dataclass(frozen=True)
class Present:
    """A clip as its container describes it; what is not known is None, and `error` says why it cannot be opened."""

    clip: str
    frames: int | None
    pairs: int | None
    seconds: float | None
    size_bytes: int
    error: str | None = None


@dataclass(frozen=True)
class RollCall:
    """Every clip of a batch, with nothing computed."""

    clips: Sequence[Present]

    @classmethod
    def of(cls, clips: Sequence[Clip], request: Request) -> RollCall:
        """Opens every clip once."""
        return cls([present(clip, request) for clip in clips])

    def rows(self) -> list[list[str]]:
        """A row a clip, and the totals."""
        rows = [["clip", "frames", "flows", "time", "MB", "trouble"]]
        rows += [
            [
                clip.clip,
                shown(clip.frames),
                shown(clip.pairs),
                shown_time(clip.seconds),
                f"{clip.size_bytes / 1e6:.1f}",
                clip.error or "",
            ]
            for clip in self.clips
        ]
        frames, pairs = (sum(getattr(clip, name) or 0 for clip in self.clips) for name in ("frames", "pairs"))
        seconds = sum(clip.seconds or 0 for clip in self.clips)
        size = sum(clip.size_bytes for clip in self.clips) / 1e6
        total = f"{len(self.clips)} clips"
        return [*rows, [total, str(frames), str(pairs), shown_time(seconds), f"{size:.1f}", ""]]

    def text(self) -> str:
        """As JSON."""
        return json_text({"clips": [asdict(clip) for clip in self.clips]})


def present(clip: Clip, request: Request) -> Present:
    """Opens one clip."""
    size_bytes = sum(file.stat().st_size for file in files_of(clip.path))
    try:
        with opened_source(replace(request, inputs=(clip.path,))) as source:
            count, rate = source.meta.frame_count, source.meta.rate
        seconds = None if count is None else float(count / rate)
        return Present(clip.key, count, expected_pairs(count, request), seconds, size_bytes)
    except FlowcliError as error:
        return Present(clip.key, None, None, None, size_bytes, str(error))


def files_of(path: Path) -> list[Path]:
    """The files that a clip consists of."""
    return [file for file in path.iterdir() if file.is_file()] if path.is_dir() else [path]


def shown(number: int | None) -> str:
    """A number that may not be known."""
    return "–" if number is None else str(number)


def shown_time(seconds: float | None) -> str:
    """A length of time as hours, minutes and seconds."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes) // 60}:{int(minutes) % 60:02d}:{rest:04.1f}"
