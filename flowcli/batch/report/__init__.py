"""report.html: one page with every clip of a batch, its motion, or the reason why it failed."""

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
"""The maximum number of points in a clip's curve of speed over time."""


def preview_path(folder: Path, clip: Clip) -> Path:
    """The file below `folder` with the preview of a clip for the report."""
    return folder / ".previews" / f"{clip.key}.json"


def page(batch: Batch, folder: Path) -> str:
    """The HTML of report.html in `folder`: the template with style, script and data inserted."""
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
    """The data of one clip for the page: its outcome, links to its files, and its motion."""
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
    """The motion of a clip over all pairs that span no cut, and its pictures."""
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
    """The mean over the pairs in which a value is known; None if there are none."""
    known = [pair[name] for pair in pairs if pair[name] is not None]
    return round(statistics.fmean(known), 3) if known else None


def thinned(values: Sequence[float]) -> list[float]:
    """The values, reduced to the maxima of POINTS intervals if there are more, so that peaks remain."""
    if len(values) <= POINTS:
        return list(values)
    bounds = [len(values) * number // POINTS for number in range(POINTS + 1)]
    return [max(values[start:end]) for start, end in pairwise(bounds)]


def link(path: Path, folder: Path) -> str:
    """The URL of a file relative to `folder`, percent-encoded."""
    return quote(os.fsencode(Path(os.path.relpath(path, folder)).as_posix()))


def readable(text: str) -> str:
    """Text with the bytes of file names that are not UTF-8 replaced by U+FFFD."""
    return text.encode(errors="surrogateescape").decode(errors="replace")


def glob_safe(name: str) -> str:
    """A name with the special characters of globs escaped."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)
