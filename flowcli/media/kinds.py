"""The kinds of files that are read, by extension: one list for folders, patterns, batches and messages."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from flowcli.media.images import EXTENSIONS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

VIDEOS = frozenset({
    ".mp4", ".m4v", ".mp4v", ".f4v", ".mov", ".qt", ".3gp", ".3g2", ".mj2", ".ismv", ".cmfv", ".mkv", ".mk3d", ".webm",
    ".avi", ".divx", ".xvid", ".ts", ".m2ts", ".mts", ".m2t", ".tp", ".trp", ".tod", ".mpg", ".mpeg", ".mpe", ".mpv",
    ".m1v", ".m2v", ".m2p", ".mod", ".vob", ".evo", ".wmv", ".asf", ".wtv", ".flv", ".ogv", ".ogm", ".mxf", ".gxf",
    ".rm", ".rmvb", ".nut", ".ivf", ".obu", ".av1", ".gif", ".apng", ".y4m", ".h261", ".h263", ".h264", ".264", ".avc",
    ".h265", ".265", ".hevc", ".h266", ".266", ".vvc", ".vc1", ".drc", ".mjpeg", ".mjpg", ".dv", ".swf", ".amv",
})  # fmt: skip
"""The extensions of videos, in lower case; `flowcli video` reads any other file that holds a video too."""
# Files that lie beside frames and clips, and are nobody's frames.
_BESIDE = frozenset({
    ".txt", ".md", ".json", ".jsonl", ".csv", ".tsv", ".xml", ".yaml", ".yml", ".toml", ".ini", ".log", ".html", ".pdf",
    ".py", ".sh", ".db", ".nfo", ".xmp", ".aae", ".srt", ".vtt", ".ass", ".sub", ".idx", ".wav", ".mp3", ".aac", ".m4a",
    ".flac", ".ogg", ".opus", ".npy", ".npz", ".flo", ".flo5", ".h5", ".zip", ".part", ".tmp", ".bak", ".lock",
})  # fmt: skip


def is_image(path: Path) -> bool:
    """Whether the name is that of an image."""
    return path.suffix.lower() in EXTENSIONS


def is_video(path: Path) -> bool:
    """Whether the name is that of a video."""
    return path.suffix.lower() in VIDEOS


def passed_over(paths: Iterable[Path]) -> str | None:
    """A note that names the kinds of the files that are passed over, with a count; None where there are none.

    Text, sound and other data beside frames and clips is not named.
    """
    kinds = Counter(path.suffix.lower() or "without an extension" for path in paths)
    named = {kind: count for kind, count in sorted(kinds.items()) if kind not in _BESIDE}
    if not named:
        return None
    listed = ", ".join(f"{count} {kind}" for kind, count in named.items())
    count = sum(named.values())
    return f"{count} {'file is' if count == 1 else 'files are'} passed over: {listed}"
