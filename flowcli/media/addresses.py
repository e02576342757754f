"""Addresses and devices that are given where a file is expected."""

from __future__ import annotations

import re
import sys
from shlex import quote
from typing import TYPE_CHECKING

from flowcli.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

# A path has single slashes only. A scheme has two letters at least: one is a drive of Windows.
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):[/\\]+(.*)", re.IGNORECASE)
_DEVICES = {
    "linux": "-f v4l2 -i /dev/video{}",
    "darwin": "-f avfoundation -framerate 30 -i {}",
    "win32": '-f dshow -i video="NAME OF CAMERA {}"',
}
_CAMERA = re.compile(r"\d{1,2}|/dev/video\d+")


def refuse_address(path: Path) -> None:
    """Raises UsageError, with the pipe that works, for an address or the number of a webcam, unless it is a file."""
    if path.exists() and not path.is_char_device():
        return
    if address := _ADDRESS.fullmatch(str(path)):
        whole = f"{address[1]}://{address[2]}"
        raise UsageError(
            f"{whole} is an address, and flowcli reads files and pipes",
            hint=f"download it, or pipe it in: ffmpeg -i {quote(whole)} -c copy -an -f matroska - | flowcli video -",
        )
    if _CAMERA.fullmatch(str(path)):
        device = f"-f v4l2 -i {path}" if path.is_absolute() else _DEVICES.get(sys.platform, _DEVICES["linux"])
        raise UsageError(
            f"{path} is not a file; webcams are read through a pipe",
            hint=f"ffmpeg {device.format(path)} -c:v ffv1 -f matroska - | flowcli video -",
        )
