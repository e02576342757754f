"""report.html: one page that shows every clip of a batch, what moves in it, and what failed and why."""

from __future__ import annotations

import json
import os
import statistics
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flowcli.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowcli.batch.clips import Clip
    from flowcli.batch.record import Batch, Outcome

POINTS = 120
"""How many speeds over time are drawn of a clip at most."""


def preview_path(folder: Path, clip: Clip) -> Path:
    """Where a batch keeps what its report shows of a clip."""
    return folder / ".previews" / f"{clip.key}.json"


def page(batch: Batch, folder: Path) -> str:
    """The page, as it lies in `folder`: its template with style, script and data in place."""
    place = files("flowcli.batch.report")
    clips = [entry(clip, batch.outcomes[clip.key], folder) for clip in batch.clips if clip.key in batch.outcomes]
    data = {
        "folder": folder.absolute().name,
        "flowcli": __version__,
        "seconds": batch.seconds,
        "listed": len(batch.clips),
        "clips": clips,
    }
    parts = {
        "STYLE": (place / "page.css").read_text(encoding="utf-8"),
        "SCRIPT": (place / "page.js").read_text(encoding="utf-8"),
        # A file name with "</script>" in it must not end the script.
        "DATA": json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
    }
    text = (place / "page.html").read_text(encoding="utf-8")
    for name, part in parts.items():
        text = text.replace(f"/*{name}*/", part)
    return text


def entry(clip: Clip, outcome: Outcome, folder: Path) -> dict[str, Any]:
    """One clip for the page: what became of it, where its files are, and what moves."""
    base = folder / clip.folder / clip.name
    outputs = sorted(path for path in base.parent.glob(f"{glob_safe(clip.name)}_*") if path.suffix != ".json")
    preview = preview_path(folder, clip)
    pairs = json.loads(preview.read_bytes()) if preview.exists() and outcome.flows else []
    return {
        "clip": readable(clip.key),
        "status": outcome.status,
        "flows": outcome.flows,
        "seconds": outcome.seconds,
        "error": outcome.error and readable(outcome.error),
        "hint": outcome.hint and readable(outcome.hint),
        "source": link(clip.path, folder),
        "outputs": [
            {"name": readable(path.name.removeprefix(f"{clip.name}_")), "link": link(path, folder)} for path in outputs
        ],
        **motion_of(pairs),
    }


def motion_of(pairs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A clip's motion over all its pairs but cuts, and its pictures."""
    within = [pair for pair in pairs if not pair["cut"]]
    poster = next((pair for pair in pairs if "poster" in pair), None)
    return {
        **{name: mean(within, name) for name in ("mean", "fast", "moving")},
        "direction": poster and poster["direction"],
        "cuts": len(pairs) - len(within) if pairs else None,
        "curve": thinned([pair["mean"] or 0.0 for pair in within]),
        "poster": poster and {**poster["poster"], "time": poster["time"]},
    }


def mean(pairs: Sequence[dict[str, Any]], name: str) -> float | None:
    """The mean of what is known."""
    known = [pair[name] for pair in pairs if pair[name] is not None]
    return round(statistics.fmean(known), 3) if known else None


def thinned(values: Sequence[float]) -> list[float]:
    """The values, or the greatest of each of so many stretches of them: peaks stay."""
    if len(values) <= POINTS:
        return list(values)
    bounds = [len(values) * number // POINTS for number in range(POINTS + 1)]
    return [max(values[start:end]) for start, end in pairwise(bounds)]


def link(path: Path, folder: Path) -> str:
    """How a page in `folder` refers to a file, whatever that is called."""
    return quote(os.fsencode(Path(os.path.relpath(path, folder)).as_posix()))


def readable(text: str) -> str:
    """Text that a page can show: what of a file's name is no UTF-8 becomes a question mark."""
    return text.encode(errors="surrogateescape").decode(errors="replace")


def glob_safe(name: str) -> str:
    """A name without the meaning that globs give to some characters."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)
