"""A hash by which a changed input is recognised."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def fingerprint(path: Path) -> str:
    """The SHA-256 of a file's bytes, or of the names, sizes and times of a folder's entries, in hexadecimal.

    Of anything else, such as a pattern or a pipe, only the name is hashed.
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
