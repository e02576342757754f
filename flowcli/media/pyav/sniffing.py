"""The reason why a file cannot be read as a video, from its first bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowcli.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide")


@dataclass(frozen=True)
class Fault:
    """Why a file is not a video: `reason` completes the sentence "FILE …"."""

    reason: str
    hint: str


_PAGE = Fault("is a web page, not a video", "download the video itself, not the page that shows it")
_PLAYLIST = Fault("is a playlist, not a video", "give the video files that it lists")
_POINTER = Fault("is a git-lfs pointer, not a video", "run `git lfs pull`")
_IMAGE = Fault(
    "is an image, not a video", "give a folder of images, or a second image to `flowcli pair` or `flowcli inspect`"
)
_TEXT = Fault("is text, not a video", "give a video file or a folder of images")
_CUT = Fault("is cut off: its index (moov) is missing", "copy it again; `untrunc` can repair some recordings")
_EMPTY = Fault("is empty", "copy or download it again")
_OTHER = Fault("is not a video that can be read", "give a video file or a folder of images")

_BEGINNINGS = {
    b"<!doctype": _PAGE,
    b"<html": _PAGE,
    b"#extm3u": _PLAYLIST,
    b"ffconcat": _PLAYLIST,
    b"version https://git-lfs": _POINTER,
    b"\x89png": _IMAGE,
    b"\xff\xd8\xff": _IMAGE,
    b"bm": _IMAGE,
    b"\0\0\0\x0cjp  ": _IMAGE,
    b"\xffo\xffq": _IMAGE,
    b"ii*\0": _IMAGE,
    b"mm\0*": _IMAGE,
}


def refusal(path: Path, *, otherwise: Fault = _OTHER) -> SourceError:
    """The error of a file that no demuxer accepts: by its first bytes, else `otherwise`."""
    try:
        fault = _fault_of(path) or otherwise
    except OSError as error:
        fault = Fault(f"cannot be read: {error.strerror}", "check the disk and the path")
    return SourceError(f"{path} {fault.reason}", hint=fault.hint)


def _fault_of(path: Path) -> Fault | None:
    with path.open("rb") as file:
        head = file.read(4096)
    beginning = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for start, fault in _BEGINNINGS.items():
        if beginning.startswith(start):
            return fault
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _IMAGE
    if head[4:8] in _BOXES and not _has_index(path):
        return _CUT
    if head and b"\0" not in head and head.isascii():
        return _TEXT
    return None if head else _EMPTY


def _has_index(path: Path) -> bool:
    size = path.stat().st_size
    position = 0
    with path.open("rb") as file:
        while position + 8 <= size:
            file.seek(position)
            head = file.read(16)
            length = int.from_bytes(head[:4], "big")
            if length == 1:
                length = int.from_bytes(head[8:16], "big")
            if head[4:8] == b"moov":
                return position + length <= size
            if length < 8:
                return False
            position += length
    return False
