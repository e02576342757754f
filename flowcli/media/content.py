"""What an input holds, as a hash."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from flowcli.media.images import in_natural_order
from flowcli.media.sources import pattern
from flowcli.system.fingerprint import fingerprint, fingerprint_of_all

if TYPE_CHECKING:
    from pathlib import Path


def content_of(path: Path) -> str:
    """A hash by which a changed input is recognised: of a file's bytes, or of its images' names, sizes and times.

    Other files in a folder of images do not count. Of a pipe, the name is hashed. Empty if the input cannot be read.
    """
    with suppress(OSError):
        if path.is_dir():
            return fingerprint_of_all(in_natural_order(path.iterdir()))
        if pattern.accepts(path):
            return fingerprint_of_all(in_natural_order(pattern.matches(path)))
        return fingerprint(path)
    return ""
