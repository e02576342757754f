"""Whether an input is still what it was."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def fingerprint(path: Path) -> str:
    """A hash of what `path` holds: a file's bytes, or the names, sizes and times of a folder's files.

    Of anything else, such as a pattern or a stream, it tells only the name.
    """
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha256()
    if path.is_dir():
        for entry in sorted(path.iterdir()):
            facts = entry.stat() if entry.exists() else entry.lstat()
            digest.update(f"{entry.name}\0{facts.st_size}\0{facts.st_mtime_ns}\0".encode(errors="surrogateescape"))
    else:
        digest.update(str(path).encode(errors="surrogateescape"))
    return digest.hexdigest()
